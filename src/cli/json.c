/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * json: diagnostics for editors and other programs.
 *
 *     { "diagnostics": [ { "file": "t.kp", "line": 3, "column": 7, "offset": 41, "length": 8, "severity": "error",
 *                          "slug": "unknown-name", "message": "...",
 *                          "remarks": [ { "kind": "note", "message": "...", "line": 1, "column": 5, "offset": 4, "length": 1 },
 *                                       { "kind": "help", "message": "..." } ] } ],
 *       "dropped": 0 }
 *
 * Lines and columns begin with 1, offsets with 0; columns, offsets and lengths are in bytes. "dropped" counts errors past the 20 that are
 * kept for a script.
 */
#include <jansson.h>
#include <stdlib.h>

#include "cli/cli.h"

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

/* Text that may hold any bytes; those that are no UTF-8 become '?'. */
static json_t *
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

static json_t *
json_diag(const struct script *script, const struct diag *diag)
{
	json_t *json = json_object(), *remarks = json_array();

	json_object_set_new(json, "file", json_text(script->name));
	set_place(json, script, diag->span);
	json_object_set_new(json, "severity", json_string("error"));
	json_object_set_new(json, "slug", json_string(diag->slug));
	json_object_set_new(json, "message", json_text(diag->message));
	for (const struct remark *remark = diag->remarks; remark; remark = remark->next)
		json_array_append_new(remarks, json_remark(script, remark));
	json_object_set_new(json, "remarks", remarks);
	return json;
}

void
diag_list_add(struct diag_list *list, const struct diags *diags)
{
	const struct diag *sorted[DIAGS_MAX];
	size_t n = diags_sort(diags, sorted);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list->diagnostics, json_diag(diags->script, sorted[i]));
	list->n_dropped += diags->n_dropped;
}

void
diag_list_print(struct diag_list *list, FILE *out)
{
	json_t *json = json_object();

	json_object_set_new(json, "diagnostics", list->diagnostics);
	json_object_set_new(json, "dropped", json_integer(list->n_dropped));
	if (json_dumpf(json, out, JSON_INDENT(2)) < 0 || fputc('\n', out) < 0)
		complain("the diagnostics cannot be written");
	json_decref(json);
	free(list);
}
