/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * json: diagnostics for editors and other programs, and the account of a run.
 *
 *     { "diagnostics": [ { "file": "t.kp", "line": 3, "column": 7, "offset": 41, "length": 8, "severity": "error",
 *                          "slug": "unknown-name", "message": "...",
 *                          "remarks": [ { "kind": "note", "message": "...", "line": 1, "column": 5, "offset": 4, "length": 1 },
 *                                       { "kind": "help", "message": "..." } ] } ],
 *       "dropped": 0 }
 *
 * Lines and columns begin with 1, offsets with 0; columns, offsets and lengths are in bytes. "dropped" counts errors past the 20 that are
 * kept for a script. What is wrong with an object of a C compiler stands at its line of C, where that is known, and says which object that is:
 *
 *     { "file": "t.bpf.c", "line": 4, "column": 9, "object": "t.bpf.o", "severity": "error", ... }
 *
 * The C file is as the compiler called it, and not read: there are no offset and length, and without the compiler's no column.
 *
 * The account: what probes sent is produced = delivered + lost, of the run and of each print; "times" counts what the slug says.
 *
 *     { "produced": 100, "delivered": 80, "lost": 20, "misfits": 0, "nested": 0, "maps_lost": 0, "stacks_cut": 0, "stacks_dropped": 0,
 *       "foreign_calls": 0,
 *       "places": [ { "file": "t.kp", "line": 1, "column": 20, "offset": 19, "length": 5, "slug": "record-lost", "severity": "warning",
 *                     "message": "output lost, ring buffer full", "times": 20, "produced": 100, "delivered": 80 } ] }
 */
#include <errno.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/json_int.h"

struct diag_list {
	json_t *diagnostics;
	json_int_t n_dropped;
};

struct diag_list *
diag_list_new(void)
{
	struct diag_list *list = mem_alloc(sizeof(*list));

	if (list)
		list->diagnostics = json_array();
	else
		complain("out of memory");
	return list;
}

json_t *
json_text(const char *s)
{
	struct text clean = { 0 };
	json_t *json = json_string(s);

	if (json)
		return json;
	for (; *s; s++)
		text_putc(&clean, (unsigned char)*s < 0x80 ? *s : '?');
	json = json_string(clean.s ? clean.s : "");
	text_fini(&clean);
	return json;
}

static void
set_place(json_t *json, const struct script *script, struct span span)
{
	json_object_set_new(json, "line", json_integer(script_line(script, span.off)));
	json_object_set_new(json, "column", json_integer(script_column(script, span.off)));
	json_object_set_new(json, "offset", json_integer(span.off));
	json_object_set_new(json, "length", json_integer(span.len));
}

static json_t *
json_remark(const struct script *script, const struct remark *remark)
{
	json_t *json = json_object();

	json_object_set_new(json, "kind", json_string(remark->kind));
	json_object_set_new(json, "message", json_text(remark->message));
	if (remark->has_span)
		set_place(json, script, remark->span);
	return json;
}

/* Completes what has a place. `script` is what the remarks' spans are about. */
static json_t *
add_diag(json_t *json, const struct script *script, const struct diag *diag)
{
	json_t *remarks = json_array();

	json_object_set_new(json, "severity", json_string(diag->is_warning ? "warning" : "error"));
	json_object_set_new(json, "slug", json_string(diag->slug));
	json_object_set_new(json, "message", json_text(diag->message));
	for (const struct remark *remark = diag->remarks; remark; remark = remark->next)
		json_array_append_new(remarks, json_remark(script, remark));
	json_object_set_new(json, "remarks", remarks);
	return json;
}

static json_t *
json_diag(const struct script *script, const struct diag *diag)
{
	json_t *json = json_object();

	json_object_set_new(json, "file", json_text(script->name));
	set_place(json, script, diag->span);
	return add_diag(json, script, diag);
}

void
diag_list_add(struct diag_list *list, const struct diags *diags)
{
	const struct diag *sorted[DIAGS_SORTED_MAX];
	size_t n = diags_sort(diags, sorted);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list->diagnostics, json_diag(diags->script, sorted[i]));
	list->n_dropped += diags->n_dropped;
}

void
diag_list_add_whole(struct diag_list *list, const char *file, const struct diag *diag)
{
	uint32_t begin = 0;
	const struct script script = { .name = file, .text = "", .lines = &begin, .n_lines = 1 };

	json_array_append_new(list->diagnostics, json_diag(&script, diag));
}

void
diag_list_add_line(struct diag_list *list, const char *object, const struct source_line *line, const struct diag *diag)
{
	json_t *json = json_object();

	json_object_set_new(json, "file", json_text(line->file));
	json_object_set_new(json, "line", json_integer(line->line));
	if (line->column)
		json_object_set_new(json, "column", json_integer(line->column));
	json_object_set_new(json, "object", json_text(object));
	json_array_append_new(list->diagnostics, add_diag(json, NULL, diag));
}

void
diag_list_print(struct diag_list *list, FILE *out)
{
	json_t *json = json_object();

	json_object_set_new(json, "diagnostics", list->diagnostics);
	json_object_set_new(json, "dropped", json_integer(list->n_dropped));
	json_dumpf(json, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(json);
	free(list);
}

/* ---- the account of a run ------------------------------------------------------------------------------------- */

static json_t *
json_loss(const struct object *object, const struct loss *row)
{
	json_t *json = json_object();

	json_object_set_new(json, "file", json_text(object->name));
	if (object->script)
		set_place(json, object->script, row->span);
	json_object_set_new(json, "slug", json_string(counter_slug(row->kind)));
	json_object_set_new(json, "severity", json_string(counter_is_error(row->kind) ? "error" : "warning"));
	json_object_set_new(json, "message", json_string(counter_text(row->kind)));
	json_object_set_new(json, "times", json_integer((json_int_t)row->n));
	if (row->kind == COUNTER_RECORD_LOST) {
		json_object_set_new(json, "produced", json_integer((json_int_t)(row->n + row->n_delivered)));
		json_object_set_new(json, "delivered", json_integer((json_int_t)row->n_delivered));
	}
	if (row->kind == COUNTER_NESTED_RUN)
		json_object_set_new(json, "at_most", json_boolean(row->is_most));
	return json;
}

int
losses_print(const struct losses *losses, const struct object *object, FILE *out)
{
	json_t *json = json_object(), *places = json_array();
	int err;

	json_object_set_new(json, "produced", json_integer((json_int_t)(losses->n_delivered + losses->n_lost)));
	json_object_set_new(json, "delivered", json_integer((json_int_t)losses->n_delivered));
	json_object_set_new(json, "lost", json_integer((json_int_t)losses->n_lost));
	json_object_set_new(json, "misfits", json_integer((json_int_t)losses->n_misfits));
	json_object_set_new(json, "nested", json_integer((json_int_t)losses->n_nested));
	json_object_set_new(json, "maps_lost", json_integer((json_int_t)losses->n_maps_lost));
	json_object_set_new(json, "stacks_cut", json_integer((json_int_t)losses->n_stacks_cut));
	json_object_set_new(json, "stacks_dropped", json_integer((json_int_t)losses->n_stacks_dropped));
	json_object_set_new(json, "foreign_calls", json_integer((json_int_t)losses->n_foreign_calls));
	for (uint32_t i = 0; i < losses->n_rows; i++)
		json_array_append_new(places, json_loss(object, &losses->rows[i]));
	json_object_set_new(json, "places", places);
	err = json_dumpf(json, out, JSON_INDENT(2)) < 0 || fputc('\n', out) < 0 ? -EIO : 0;
	json_decref(json);
	return err;
}
