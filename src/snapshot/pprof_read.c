// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The messages of a profile are taken one at a time and in several passes, because they refer to
 * each other in any order. Whatever a file says, memory stays in proportion to its size.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/saturate.h"
#include "snapshot/copies.h"
#include "snapshot/gzip.h"
#include "snapshot/ids.h"
#include "snapshot/merging.h"
#include "snapshot/pprof.h"
#include "snapshot/pprof_comments.h"
#include "snapshot/pprof_values.h"
#include "snapshot/process_index.h"
#include "snapshot/wire.h"
#include "src/snapshot/profile.pb-c.h"

/* More is no stack; depth times lines is what a stack can unfold to. */
#define MAX_DEPTH 4096
#define MAX_LINES 256
#define SAMPLE 2	/* number of a profile's field */

struct function {
	const char *name, *file; /* interned */
};

struct file_mapping {
	uint32_t module;
	uint64_t start, offset;
};

struct reader {
	struct wire profile;
	struct names *names;
	struct snapshot *snapshot;
	const char *why;

	const char **strings; /* interned; NULL for "", which is how pprof says unknown */
	size_t nstrings;
	int64_t *comments; /* numbers of strings */
	size_t ncomments;
	uint64_t period;
	struct pprof_comments said;
	int values[PPROF_VALUES]; /* where in a sample; -1: not there */
	size_t nvalues;
	struct ids mapping_ids, function_ids, location_ids;
	struct file_mapping *mappings;
	struct function *functions;
	struct copies *copies; /* of files without a build id */
	struct process_index processes;
	struct merging merging;
	uint32_t stack[MAX_DEPTH];
};

static int reader__refuse(struct reader *r, const char *why)
{
	r->why = why;
	return -EINVAL;
}

/* Makes ids__find() possible. */
static int reader__close_ids(struct reader *r, struct ids *ids)
{
	int err = ids__close(ids);

	return err == -EINVAL ? reader__refuse(r, "an id is 0 or occurs twice") : err;
}

static int reader__string(struct reader *r, int64_t number, const char **s)
{
	if (number < 0 || (size_t)number >= r->nstrings)
		return reader__refuse(r, "a string's number is out of range");
	*s = r->strings[number];
	return 0;
}

/* Calls `read` for every field of this number. */
static int reader__each(struct reader *r, uint32_t number,
			int (*read)(struct reader *, const struct wire_field *))
{
	uint32_t most = number == SAMPLE ? MAX_SNAPSHOT_SAMPLES : MAX_SNAPSHOT_RECORDS;
	struct wire wire = r->profile;
	struct wire_field field;
	int more, err;

	while ((more = wire__next(&wire, &field)) > 0) {
		if (field.number != number)
			continue;
		if (!most--)
			return reader__refuse(r, "it has too many records");
		if (!field.data)
			return reader__refuse(r, "a message is damaged");
		err = read(r, &field);
		if (err)
			return err;
	}
	return more < 0 ? reader__refuse(r, "it is no protobuf message") : 0;
}

static int read_string(struct reader *r, const struct wire_field *field)
{
	const char *interned = NULL;
	char *copy;

	if (array__make_room(&r->strings, r->nstrings, sizeof(*r->strings)))
		return -ENOMEM;
	copy = strndup((const char *)field->data, field->size);
	if (copy && *copy)
		interned = names__string(r->names, copy);
	if (!copy || (*copy && !interned)) {
		free(copy);
		return -ENOMEM;
	}
	free(copy);
	r->strings[r->nstrings++] = interned;
	return 0;
}

static int add_comment(struct reader *r, uint64_t number)
{
	if (array__make_room(&r->comments, r->ncomments, sizeof(*r->comments)))
		return -ENOMEM;
	r->comments[r->ncomments++] = number;
	return 0;
}

/* A number, or several packed. */
static int read_comment_numbers(struct reader *r, const struct wire_field *field)
{
	struct wire packed;
	uint64_t number;
	int err = 0;

	if (!field->data)
		return add_comment(r, field->value);
	packed = (struct wire){ field->data, field->data + field->size };
	while (!err && wire__varint(&packed, &number))
		err = add_comment(r, number);
	return err;
}

/* The profile's own numbers. */
static int read_scalars(struct reader *r)
{
	struct wire wire = r->profile;
	struct wire_field field;
	int err = 0;

	while (!err && wire__next(&wire, &field) > 0) {
		if (field.number == 9)
			r->snapshot->time_ns = field.value;
		else if (field.number == 10)
			r->snapshot->elapsed_ns = field.value;
		else if (field.number == 12)
			r->period = field.value;
		else if (field.number == 13)
			err = read_comment_numbers(r, &field);
	}
	return err;
}

static int read_comments(struct reader *r)
{
	const char *comment;
	int err = 0;

	for (size_t i = 0; i < r->ncomments && !err; i++) {
		err = reader__string(r, r->comments[i], &comment);
		if (!err && comment)
			err = pprof_comments__read(&r->said, comment, r->snapshot);
	}
	return err;
}

/* The value of this name; what pprof makes of the older formats of gperftools and jemalloc has
 * names without "inuse_". -1: not one of ours. */
static int value_named(const char *name)
{
	for (int i = 0; name && i < PPROF_VALUES; i++) {
		const char *type = pprof_values[i].type;

		if (!strcmp(name, type) ||
		    (!strncmp(type, "inuse_", 6) && !strcmp(name, type + 6)))
			return i;
	}
	return -1;
}

static int read_sample_type(struct reader *r, const struct wire_field *field)
{
	Pprof__ValueType *message = pprof__value_type__unpack(NULL, field->size, field->data);
	const char *name;
	int err, value;

	if (!message)
		return reader__refuse(r, "a sample type is damaged");
	err = reader__string(r, message->type, &name);
	pprof__value_type__free_unpacked(message, NULL);
	if (err)
		return err;
	value = value_named(name);
	if (value >= 0 && r->values[value] < 0)
		r->values[value] = r->nvalues;
	r->nvalues++;
	return 0;
}

static bool reader__has(const struct reader *r, const char *name)
{
	return r->values[value_named(name)] >= 0;
}

/* Which sample types there must be, and what it means if others are missing. */
static int check_sample_types(struct reader *r)
{
	if (!reader__has(r, "inuse_space") && !reader__has(r, "alloc_space"))
		return reader__refuse(r, "it is not about memory: it has neither inuse_space, "
					 "alloc_space nor space");
	r->snapshot->without_details = !reader__has(r, "peak_space") ||
				       !reader__has(r, "temporary_objects");
	return 0;
}

/* Our writer gives a file one mapping: a second one of the same path is another file. Of files with
 * one build id it says which are the same. */
static int reader__module(struct reader *r, uint64_t id, const char *path, const char *build_id,
			  uint32_t *module)
{
	uint64_t copy = 0;
	int err = 0;

	if (build_id)
		copy = pprof_comments__copy(&r->said, id);
	else if (r->said.ours)
		err = copies__add(&r->copies, path, &copy);
	return err ? err : names__module_copy(r->names, path, build_id, copy, module);
}

/* Of other writers: what is sampled, by bytes. They do not say how well they estimate. */
static int read_period_type(struct reader *r, const struct wire_field *field)
{
	Pprof__ValueType *message = pprof__value_type__unpack(NULL, field->size, field->data);
	const char *type;
	int err;

	if (!message)
		return reader__refuse(r, "the period's type is damaged");
	err = reader__string(r, message->type, &type);
	pprof__value_type__free_unpacked(message, NULL);
	if (err || r->said.ours || !type || strcmp(type, "space") || r->period < 2)
		return err;
	r->snapshot->sample_bytes = r->period;
	r->snapshot->without_variances = true;
	return 0;
}

static int add_mapping(struct reader *r, const Pprof__Mapping *message)
{
	struct ids *ids = &r->mapping_ids;
	struct file_mapping mapping = {
		.start = message->memory_start,
		.offset = message->file_offset,
	};
	const char *path, *build_id;
	int err;

	err = reader__string(r, message->filename, &path);
	if (!err)
		err = reader__string(r, message->build_id, &build_id);
	if (!err)
		err = reader__module(r, message->id, path, build_id, &mapping.module);
	if (!err)
		err = array__make_room(&r->mappings, ids->count, sizeof(*r->mappings));
	if (err)
		return err;
	r->mappings[ids->count] = mapping;
	return ids__add(ids, message->id, ids->count);
}

static int read_mapping(struct reader *r, const struct wire_field *field)
{
	Pprof__Mapping *message = pprof__mapping__unpack(NULL, field->size, field->data);
	int err;

	if (!message)
		return reader__refuse(r, "a mapping is damaged");
	err = add_mapping(r, message);
	pprof__mapping__free_unpacked(message, NULL);
	return err;
}

static int add_function(struct reader *r, const Pprof__Function *message)
{
	struct ids *ids = &r->function_ids;
	struct function function;
	int err;

	err = reader__string(r, message->name ? message->name : message->system_name,
			     &function.name);
	if (!err)
		err = reader__string(r, message->filename, &function.file);
	if (!err)
		err = array__make_room(&r->functions, ids->count, sizeof(*r->functions));
	if (err)
		return err;
	r->functions[ids->count] = function;
	return ids__add(ids, message->id, ids->count);
}

static int read_function(struct reader *r, const struct wire_field *field)
{
	Pprof__Function *message = pprof__function__unpack(NULL, field->size, field->data);
	int err;

	if (!message)
		return reader__refuse(r, "a function is damaged");
	err = add_function(r, message);
	pprof__function__free_unpacked(message, NULL);
	return err;
}

/* The location's frames; its lines are innermost first, as ours. */
static int set_frames(struct reader *r, const Pprof__Location *message, uint32_t location)
{
	struct names_frame frames[MAX_LINES] = {};
	uint32_t function;

	if (message->n_line > MAX_LINES)
		return reader__refuse(r, "a location has too many lines");
	for (size_t i = 0; i < message->n_line; i++) {
		const Pprof__Line *line = message->line[i];

		if (!ids__find(&r->function_ids, line->function_id, &function))
			return reader__refuse(r, "a location's function is missing");
		if (line->line < 0 || line->line > UINT32_MAX)
			return reader__refuse(r, "a line's number is out of range");
		frames[i].function = r->functions[function].name;
		frames[i].file = r->functions[function].file;
		frames[i].line = line->line;
		frames[i].inlined = i + 1 < message->n_line;
	}
	return names__set_frames(r->names, location, frames, message->n_line ? message->n_line : 1);
}

static int add_location(struct reader *r, const Pprof__Location *message)
{
	struct file_mapping mapping = {};
	uint32_t index;
	bool exact;
	int err;

	if (message->mapping_id) {
		if (!ids__find(&r->mapping_ids, message->mapping_id, &index))
			return reader__refuse(r, "a location's mapping is missing");
		mapping = r->mappings[index];
	}
	exact = !r->said.ours || pprof_comments__is_exact(&r->said, message->id);
	err = names__add_location(r->names, mapping.module,
				  message->address - mapping.start + mapping.offset + !exact, exact,
				  &index);
	if (!err)
		err = set_frames(r, message, index);
	return err ? err : ids__add(&r->location_ids, message->id, index);
}

static int read_location(struct reader *r, const struct wire_field *field)
{
	Pprof__Location *message = pprof__location__unpack(NULL, field->size, field->data);
	int err;

	if (!message)
		return reader__refuse(r, "a location is damaged");
	err = add_location(r, message);
	pprof__location__free_unpacked(message, NULL);
	return err;
}

/* The process with this pid and name, added if it is new. */
static int reader__process(struct reader *r, const struct snapshot_process *process,
			   uint32_t *index)
{
	struct snapshot *s = r->snapshot;

	if (process_index__find(&r->processes, s, process, index))
		return 0;
	if (s->nprocesses == MAX_PROCESSES)
		return reader__refuse(r, "it has too many processes");
	*index = s->nprocesses;
	return snapshot__add_process(s, process);
}

static enum stop_reason stop_from_key(const char *key)
{
	for (int i = 0; key && i < STOP_MAX; i++)
		if (!strcmp(key, stop_reason__key(i)))
			return i;
	return STOP_BOTTOM;
}

/* Of blocks of this size, which Go and our writer give as the label "bytes". */
static uint8_t size_class(uint64_t bytes)
{
	return bytes ? 64 - __builtin_clzll(bytes) : 0;
}

static int read_labels(struct reader *r, const Pprof__Sample *message, struct trace *trace,
		       uint32_t *process_index, uint8_t *stop)
{
	struct snapshot_process process = {};
	const char *key, *text;
	bool has_pid = false;
	int err;

	for (size_t i = 0; i < message->n_label; i++) {
		err = reader__string(r, message->label[i]->key, &key);
		if (!err)
			err = reader__string(r, message->label[i]->str, &text);
		if (err)
			return err;
		if (!key)
			continue;
		if (!strcmp(key, "pid")) {
			process.pid = message->label[i]->num;
			has_pid = true;
		} else if (!strcmp(key, "process")) {
			process.comm = text;
		} else if (!strcmp(key, "cgroup")) {
			process.cgroup = text;
		} else if (!strcmp(key, "size_error")) {
			trace->size_variance = pow(message->label[i]->num, 2);
		} else if (!strcmp(key, "count_error")) {
			trace->count_variance = pow(message->label[i]->num, 2);
		} else if (!strcmp(key, "stopped")) {
			*stop = stop_from_key(text);
		} else if (!strcmp(key, "oldest")) {
			trace->oldest_ns = message->label[i]->num;
		} else if (!strcmp(key, "bytes")) {
			trace->size_class = size_class(message->label[i]->num);
		} else if (!strcmp(key, "domain") && text && strcmp(text, "malloc")) {
			trace->domain = text;
		}
	}
	return has_pid ? reader__process(r, &process, process_index) : 0;
}

static int read_values(struct reader *r, const Pprof__Sample *message, struct trace *trace)
{
	if (message->n_value != r->nvalues)
		return reader__refuse(r, "a sample does not have a value for each sample type");
	for (int i = 0; i < PPROF_VALUES; i++) {
		if (r->values[i] < 0)
			continue;
		if (message->value[r->values[i]] < 0)
			return reader__refuse(r, "a value is negative: it is a difference");
		*pprof_value__of(&pprof_values[i], trace) = message->value[r->values[i]];
	}
	return 0;
}

static int add_sample(struct reader *r, const Pprof__Sample *message)
{
	struct trace trace = { .size_class = SIZE_CLASS_UNKNOWN };
	uint32_t process = UINT32_MAX;
	uint8_t stop = STOP_BOTTOM;
	int err;

	if (message->n_location_id > MAX_DEPTH)
		return reader__refuse(r, "a traceback is too long");
	for (size_t i = 0; i < message->n_location_id; i++)
		if (!ids__find(&r->location_ids, message->location_id[i], &r->stack[i]))
			return reader__refuse(r, "a sample's location is missing");
	err = read_values(r, message, &trace);
	if (!err)
		err = read_labels(r, message, &trace, &process, &stop);
	if (!err)
		err = names__stack(r->names, r->stack, message->n_location_id, stop, &trace.stack);
	if (err)
		return err;
	if (!r->said.totals) {
		add_saturated(&r->snapshot->size, trace.size);
		r->snapshot->count += trace.count;
	}
	return merging__add(&r->merging, r->snapshot, process, &trace);
}

static int read_sample(struct reader *r, const struct wire_field *field)
{
	Pprof__Sample *message = pprof__sample__unpack(NULL, field->size, field->data);
	int err;

	if (!message)
		return reader__refuse(r, "a sample is damaged");
	err = add_sample(r, message);
	pprof__sample__free_unpacked(message, NULL);
	return err;
}

static int read_places(struct reader *r)
{
	int err;

	err = reader__each(r, 3, read_mapping);
	if (!err)
		err = reader__each(r, 5, read_function);
	if (!err)
		err = reader__close_ids(r, &r->mapping_ids);
	if (!err)
		err = reader__close_ids(r, &r->function_ids);
	if (!err)
		err = reader__each(r, 4, read_location);
	return err ? err : reader__close_ids(r, &r->location_ids);
}

static int read_profile(struct reader *r)
{
	int err;

	err = reader__each(r, 6, read_string);
	if (!err)
		err = read_scalars(r);
	if (!err)
		err = read_comments(r);
	if (!err)
		err = reader__each(r, 1, read_sample_type);
	if (!err)
		err = reader__each(r, 11, read_period_type);
	if (!err)
		err = check_sample_types(r);
	if (!err)
		err = read_places(r);
	if (!err)
		err = reader__each(r, SAMPLE, read_sample);
	return err;
}

int pprof__parse(const void *data, size_t size, struct names *names, struct snapshot **snapshot,
		 const char **why)
{
	struct reader *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	*why = "";
	*snapshot = snapshot__new(names);
	if (!r || !*snapshot)
		goto out;
	r->profile = (struct wire){ data, (const uint8_t *)data + size };
	r->names = names;
	r->snapshot = *snapshot;
	for (int i = 0; i < PPROF_VALUES; i++)
		r->values[i] = -1;
	err = read_profile(r);
	*why = r->why;
	pprof_comments__release(&r->said);
	free(r->strings);
	free(r->comments);
	ids__release(&r->mapping_ids);
	ids__release(&r->function_ids);
	ids__release(&r->location_ids);
	free(r->mappings);
	free(r->functions);
	copies__free(r->copies);
	merging__release(&r->merging);
out:
	free(r);
	if (err) {
		snapshot__free(*snapshot);
		*snapshot = NULL;
	}
	return err;
}

int pprof__read(const char *path, struct names *names, struct snapshot **snapshot)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	const char *why = "it is damaged or cut off";
	uint8_t *data;
	size_t size;
	int err;

	err = gzip__read(path, &data, &size);
	if (!err && !size) {
		err = -EINVAL;
		why = "it is empty";
	}
	if (!err)
		err = pprof__parse(data, size, names, snapshot, &why);
	free(data);
	if (!err)
		(*snapshot)->file = names__string(names, name);
	if (err == -EINVAL)
		log__error("%s is no snapshot that can be read: %s", name, why);
	else if (err)
		log__error("cannot read %s: %s", name, strerror(-err));
	return err;
}
