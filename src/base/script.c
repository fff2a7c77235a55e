/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The text of a script, and lines and columns of places in it. Lines end with \n, \r, \r\n or \n\r.
 */
#include <string.h>

#include "base/base.h"

/* Length of the line end at `off`: 0, 1, or 2 for the pairs \r\n and \n\r. */
static uint32_t
line_end(const struct script *script, uint32_t off)
{
	char c = script->text[off];

	if (c != '\n' && c != '\r')
		return 0;
	if (off + 1 < script->len && script->text[off + 1] != c && (script->text[off + 1] == '\n' || script->text[off + 1] == '\r'))
		return 2;
	return 1;
}

void
script_init(struct script *script, struct arena *arena, const char *name, const char *text, uint32_t len)
{
	uint32_t cap = 0;

	*script = (struct script){ .name = name, .text = text, .len = len };
	script->lines = arena_grow(arena, NULL, 0, &cap, sizeof(*script->lines));
	script->lines[script->n_lines++] = 0;
	for (uint32_t off = 0; off < len;) {
		uint32_t n = line_end(script, off);

		off += n ? n : 1;
		if (!n)
			continue;
		script->lines = arena_grow(arena, script->lines, script->n_lines, &cap, sizeof(*script->lines));
		script->lines[script->n_lines++] = off;
	}
}

uint32_t
script_line(const struct script *script, uint32_t off)
{
	uint32_t low = 0, high = script->n_lines; /* the line starts at or before off: in [low, high) */

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (script->lines[mid] <= off)
			low = mid;
		else
			high = mid;
	}
	return low + 1;
}

uint32_t
script_column(const struct script *script, uint32_t off)
{
	return off - script->lines[script_line(script, off) - 1] + 1;
}

const char *
script_line_text(const struct script *script, uint32_t line, uint32_t *len)
{
	uint32_t start, end;

	*len = 0;
	if (line == 0 || line > script->n_lines)
		return "";
	start = script->lines[line - 1];
	end = line < script->n_lines ? script->lines[line] : script->len;
	while (end > start && (script->text[end - 1] == '\n' || script->text[end - 1] == '\r'))
		end--;
	*len = end - start;
	return script->text + start;
}
