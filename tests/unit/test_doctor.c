// SPDX-License-Identifier: GPL-2.0-or-later
/* What doctor concludes and prints, of kernels that need not run here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "doctor/findings.h"

enum { BTF, SESSION, EVENT, LOCKLESS };

/* One feature of each need. */
static struct findings good_machine(void)
{
	return (struct findings){
		.machine = {
			.name = { .sysname = "Linux", .release = "6.12.1", .machine = "x86_64" },
			.ncpus = 8,
			.settings = { { "perf_event_paranoid", "2" }, { "lockdown", "" } },
			.nsettings = 2,
			.features = {
				[BTF] = { "btf", "types", "file", "build them", NEEDED,
					  ANSWER_YES },
				[SESSION] = { "uprobe_session", "sessions", "link", "slow", USEFUL,
					      ANSWER_YES },
				[EVENT] = { "uprobe_event", "events", "file", "switch on",
					    NEEDED_WITHOUT_SESSIONS, ANSWER_YES },
				[LOCKLESS] = { "uprobe_lockless", "no locks", "types",
					       "threads wait", USEFUL, ANSWER_YES },
			},
			.nfeatures = 4,
		},
		.cost = { "uprobe.session", 1.5, 500, 800, 18000 },
	};
}

static void test_one_way_of_attaching_is_enough(void **state)
{
	struct findings findings = good_machine();
	struct machine *machine = &findings.machine;

	assert_true(machine__can_trace(machine));
	machine->features[EVENT].answer = ANSWER_NO;
	assert_true(machine__can_trace(machine));
	assert_false(machine__lacks(machine, &machine->features[EVENT]));
	machine->features[SESSION].answer = ANSWER_NO;
	assert_false(machine__can_trace(machine));
	assert_true(machine__lacks(machine, &machine->features[EVENT]));
	assert_false(machine__lacks(machine, &machine->features[SESSION]));
	machine->features[EVENT].answer = ANSWER_YES;
	assert_true(machine__can_trace(machine));
}

static void test_what_is_missing_decides(void **state)
{
	struct findings findings = good_machine();
	struct machine *machine = &findings.machine;

	machine->features[LOCKLESS].answer = ANSWER_NO;
	assert_true(machine__can_trace(machine));
	machine->features[BTF].answer = ANSWER_UNKNOWN;
	assert_true(machine__can_trace(machine));
	machine->features[BTF].answer = ANSWER_NO;
	assert_false(machine__can_trace(machine));
	machine->features[BTF].answer = ANSWER_YES;
	strcpy(machine->missing, "CAP_BPF");
	assert_false(machine__can_trace(machine));
}

static char *printed(void (*print)(FILE *out, const struct findings *findings),
		     const struct findings *findings)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print(out, findings);
	fclose(out);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void test_text(void **state)
{
	struct findings findings = good_machine();
	char *text;

	findings.machine.features[BTF].answer = ANSWER_NO;
	findings.machine.features[LOCKLESS].answer = ANSWER_NO;
	findings.machine.features[EVENT].answer = ANSWER_UNKNOWN;
	text = printed(findings__text, &findings);
	assert_has(text, "Tracing does not work here:\n  no types: build them\n\n");
	assert_has(text, "Linux 6.12.1 x86_64, 8 CPUs\n");
	assert_has(text, "perf_event_paranoid: 2\n");
	assert_null(strstr(text, "lockdown"));
	assert_has(text, "so: threads wait\n");
	assert_has(text, "?: could not be found out");
	/* 800 + 500 ns; 130 ms of each second */
	assert_has(text, "costs at least 1300 ns more");
	assert_has(text, "at least 13 % of a CPU");
	free(text);
}

static void test_json(void **state)
{
	struct carried carried = { .carrier = 0, .is_program = true };
	struct surveyed process = { .pid = 7, .comm = "\"x\\", .items = &carried, .count = 1 };
	struct carrier carrier = { .path = "/a\nb", .probes.allocator = "musl", .nprocesses = 1 };
	struct findings findings = good_machine();
	char *text;

	carrier.probes.items = &(struct probe){ .symbol = "malloc", .offset = 16, .function = 19,
						.instruction = "ret" };
	carrier.probes.count = 1;
	findings.survey = (struct survey){ &carrier, 1, &process, 1, 2, 3 };
	findings.machine.features[EVENT].answer = ANSWER_UNKNOWN;
	findings.cost.kind = NULL;
	text = printed(findings__json, &findings);
	assert_has(text, "{\"version\":1,\"works\":true,\"kernel\":{\"release\":\"6.12.1\"");
	assert_has(text, "\"perf_event_paranoid\":\"2\",\"lockdown\":null}");
	assert_has(text, "\"name\":\"uprobe_event\",\"title\":\"events\",\"available\":null");
	assert_has(text, "\"cost\":null,");
	assert_has(text, "{\"path\":\"/a\\u000ab\",\"build_id\":null,\"allocator\":\"musl\","
			 "\"not_followed\":null,\"processes\":1,\"probes\":[{\"function\":\"malloc\","
			 "\"offset\":-3,\"file_offset\":16,");
	assert_has(text, "{\"pid\":7,\"comm\":\"\\\"x\\\\\",\"allocators\":[{\"name\":\"musl\"");
	assert_has(text, "\"in_program\":true,\"followed\":true}");
	assert_has(text, "\"unreadable_processes\":2,\"unreadable_files\":3}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_way_of_attaching_is_enough),
		cmocka_unit_test(test_what_is_missing_decides),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
