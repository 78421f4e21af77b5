// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/unwind.h"

/* Half empty at worst, so a search ends soon. Untouched pages cost nothing. */
#define SLOTS (2 * MAX_RULES)

struct unwind_rules {
	uint32_t count;
	struct unwind_rule table[MAX_RULES];
	uint32_t slots[SLOTS];	/* hash -> index + 1; 0: empty */
};

struct unwind_rules *unwind_rules__new(void)
{
	struct unwind_rules *rules = calloc(1, sizeof(*rules));
	uint32_t index;

	/* Those that a file may need when the table is full. */
	if (rules) {
		unwind_rules__intern(rules, &(struct unwind_rule){ .cfa = CFA_NONE }, &index);
		unwind_rules__intern(rules, &(struct unwind_rule){ .cfa = CFA_REGISTER }, &index);
		unwind_rules__intern(rules, &(struct unwind_rule){ .cfa = CFA_DAMAGED }, &index);
	}
	return rules;
}

void unwind_rules__free(struct unwind_rules *rules)
{
	free(rules);
}

static uint32_t hash(const struct unwind_rule *rule)
{
	uint64_t words[2], h;

	memcpy(words, rule, sizeof(words));
	h = (words[0] ^ words[1] * 0xff51afd7ed558ccdULL) * 0x9e3779b97f4a7c15ULL;
	return (h >> 32) % SLOTS;
}

int unwind_rules__intern(struct unwind_rules *rules, const struct unwind_rule *rule,
			 uint32_t *index)
{
	uint32_t i = hash(rule);

	for (; rules->slots[i]; i = (i + 1) % SLOTS) {
		*index = rules->slots[i] - 1;
		if (!memcmp(&rules->table[*index], rule, sizeof(*rule)))
			return 0;
	}
	if (rules->count == MAX_RULES)
		return -ENOSPC;
	*index = rules->count++;
	rules->table[*index] = *rule;
	rules->slots[i] = *index + 1;
	return 0;
}

const struct unwind_rule *unwind_rules__table(const struct unwind_rules *rules, uint32_t *count)
{
	*count = rules->count;
	return rules->table;
}
