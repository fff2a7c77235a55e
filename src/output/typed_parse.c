/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Values of C types out of text, by their BTF: what typed.c shows, read back, and the same as JSON.
 *
 *     value    number | true | false | name of an enum's | text | "text" | list | parts | bytes
 *     parts    { [name:] value, ... }     of a struct or union, in any order with names, in theirs without; a name may be quoted
 *     list     [ value, ... ]
 *     bytes    0x0102ff, or 01 02 ff      of what has no type, or no other form; of a whole value with parts, too
 *
 * The braces round all may be left out: `cat, 7`. A text without quotes ends at a comma or bracket, that of a value which is nothing else where the words end.
 * All parts must be given; of a union one is enough, and of several each adds what it says.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output/output.h"

#define DEPTH_MAX 16
#define TEXT_MAX  4096 /* bytes of a quoted text */

struct parse {
	const struct typeinfo *types;
	const char *at;
	uint8_t *bytes;    /* the whole value */
	size_t len;
	struct text *why;
	int depth;
};

static bool
parse_value(struct parse *p, uint32_t id, uint64_t bit_off, uint32_t bits);

static bool
fail(struct parse *p, const char *format, ...) PRINTF_LIKE(2, 3);

/* The first reason is kept. */
static bool
fail(struct parse *p, const char *format, ...)
{
	va_list args;

	if (p->why->len)
		return false;
	va_start(args, format);
	text_vprintf(p->why, format, args);
	va_end(args);
	return false;
}

static void
skip_blanks(struct parse *p)
{
	while (isspace((unsigned char)*p->at))
		p->at++;
}

static bool
take_char(struct parse *p, char c)
{
	skip_blanks(p);
	if (*p->at != c)
		return false;
	p->at++;
	return true;
}

static bool
is_text(const struct typeinfo *types, const struct btf_type *type)
{
	const struct btf_type *element = typeinfo_plain(types, type_array(type)->type, NULL);

	return element && BTF_INFO_KIND(element->info) == BTF_KIND_INT && element->size == 1;
}

/* ---- words --------------------------------------------------------------------------------------------------------- */

static void
put_utf8(struct text *out, unsigned code)
{
	if (code < 0x80) {
		text_putc(out, (char)code);
	} else if (code < 0x800) {
		text_putc(out, (char)(0xc0 | code >> 6));
		text_putc(out, (char)(0x80 | (code & 0x3f)));
	} else {
		text_putc(out, (char)(0xe0 | code >> 12));
		text_putc(out, (char)(0x80 | (code >> 6 & 0x3f)));
		text_putc(out, (char)(0x80 | (code & 0x3f)));
	}
}

/* `n` hexadecimal digits. */
static bool
take_hex(struct parse *p, int n, unsigned *number)
{
	*number = 0;
	for (; n; n--, p->at++) {
		char c = *p->at;

		if (!isxdigit((unsigned char)c))
			return fail(p, "a hexadecimal digit is missing");
		*number = *number << 4 | (unsigned)(isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return true;
}

/* What stands behind a backslash, in JSON or as typed.c shows it. */
static bool
take_escape(struct parse *p, struct text *out)
{
	static const char letters[] = "ntrbf", meant[] = "\n\t\r\b\f";
	char c = *p->at++;
	const char *letter = c ? strchr(letters, c) : NULL;
	unsigned code;

	if (letter) {
		text_putc(out, meant[letter - letters]);
	} else if (c == 'u') {
		if (!take_hex(p, 4, &code))
			return false;
		put_utf8(out, code);
	} else if (c == 'x') {
		if (!take_hex(p, 2, &code))
			return false;
		text_putc(out, (char)code);
	} else if (c == '"' || c == '\\' || c == '/') {
		text_putc(out, c);
	} else {
		return fail(p, "a backslash stands before n, t, r, b, f, x, u, a quote or another backslash");
	}
	return true;
}

/* Behind the opening quote. */
static bool
take_quoted(struct parse *p, struct text *out)
{
	while (*p->at && *p->at != '"' && out->len < TEXT_MAX) {
		if (*p->at != '\\')
			text_putc(out, *p->at++);
		else if (p->at++, !take_escape(p, out))
			return false;
	}
	if (*p->at != '"')
		return fail(p, "a text has no closing quote, or more than %u bytes", TEXT_MAX);
	p->at++;
	return true;
}

/* A text in quotes, or what stands up to a comma or bracket. */
static bool
take_word(struct parse *p, struct text *out)
{
	skip_blanks(p);
	if (*p->at == '"') {
		p->at++;
		return take_quoted(p, out);
	}
	while (*p->at && !strchr(",]}", *p->at))
		text_putc(out, *p->at++);
	while (out->len && isspace((unsigned char)out->s[out->len - 1]))
		out->s[--out->len] = 0;
	return true;
}

/* A name with its colon; else nothing is taken. */
static bool
take_name(struct parse *p, struct text *name)
{
	const char *start = p->at;
	bool found = true;

	skip_blanks(p);
	if (*p->at == '"') {
		p->at++;
		found = strchr(p->at, '"') && take_quoted(p, name);
	} else {
		while (isalnum((unsigned char)*p->at) || *p->at == '_')
			text_putc(name, *p->at++);
	}
	if (found && name->len && take_char(p, ':'))
		return true;
	p->at = start;
	return false;
}

/* ---- numbers ------------------------------------------------------------------------------------------------------- */

/* Stores the lower `bits` bits, which lie in the value. */
static bool
store(struct parse *p, uint64_t bit_off, uint32_t bits, uint64_t number)
{
	if (!bits || bits > 64 || bit_off + bits > 8 * (uint64_t)p->len)
		return fail(p, "its type does not fit its size");
	for (uint32_t i = 0; i < bits; i++, bit_off++) {
		uint8_t bit = (uint8_t)(1u << bit_off % 8);

		p->bytes[bit_off / 8] = (uint8_t)((p->bytes[bit_off / 8] & ~bit) | (number >> i & 1 ? bit : 0));
	}
	return true;
}

/* With a sign or without, whichever it is to be: -1 and 255 are the same byte. */
static bool
number_of(struct parse *p, const char *word, uint32_t bits, uint64_t *number)
{
	char *end;
	long long with_sign;

	errno = 0;
	with_sign = strtoll(word, &end, 0);
	*number = (uint64_t)with_sign;
	if (errno == ERANGE && *word != '-') {
		errno = 0;
		*number = strtoull(word, &end, 0);
	}
	if (end == word || *end || isspace((unsigned char)*word))
		return fail(p, "'%s' is not a number", word);
	if (errno || (bits < 64 && (*word == '-' ? with_sign < -(1ll << (bits - 1)) : *number >> bits)))
		return fail(p, "%s does not fit into %u bits", word, bits);
	return true;
}

static bool
parse_number(struct parse *p, uint64_t bit_off, uint32_t bits, bool is_bool)
{
	struct text word = { 0 };
	uint64_t number = 0;
	bool ok = take_word(p, &word) && bits && bits <= 64;

	if (ok && is_bool && word.s && strcmp(word.s, "true") == 0)
		number = 1;
	else if (ok && !(is_bool && word.s && strcmp(word.s, "false") == 0))
		ok = number_of(p, word.s ? word.s : "", bits, &number);
	ok = ok && store(p, bit_off, bits, number);
	text_fini(&word);
	return ok;
}

static bool
parse_enum(struct parse *p, const struct btf_type *type, uint64_t bit_off, uint32_t bits)
{
	bool wide = BTF_INFO_KIND(type->info) == BTF_KIND_ENUM64, ok;
	struct text word = { 0 };
	uint64_t number = 0;
	uint32_t i = 0, n = BTF_INFO_VLEN(type->info);

	ok = take_word(p, &word);
	for (; ok && i < n; i++) {
		const struct btf_enum *narrow = &type_enums(type)[i];
		const struct btf_enum64 *big = &type_enums64(type)[i];

		if (strcmp(typeinfo_string(p->types, wide ? big->name_off : narrow->name_off), word.s ? word.s : "") != 0)
			continue;
		number = wide ? (uint64_t)big->val_hi32 << 32 | big->val_lo32 : (uint64_t)(int64_t)narrow->val;
		break;
	}
	if (ok && i == n)
		ok = number_of(p, word.s ? word.s : "", bits, &number);
	ok = ok && store(p, bit_off, bits, number);
	text_fini(&word);
	return ok;
}

/* Bytes in hex, with 0x before them and blanks between them, or not. */
static bool
parse_bytes(struct parse *p, size_t off, size_t len)
{
	unsigned byte;

	skip_blanks(p);
	if (strncmp(p->at, "0x", 2) == 0)
		p->at += 2;
	for (size_t i = 0; i < len; i++) {
		skip_blanks(p);
		if (!take_hex(p, 2, &byte))
			return false;
		if (off + i >= p->len)
			return fail(p, "its type does not fit its size");
		p->bytes[off + i] = (uint8_t)byte;
	}
	return true;
}

/* ---- what has parts --------------------------------------------------------------------------------------------------- */

static bool
store_text(struct parse *p, const char *s, size_t len, size_t off, size_t room)
{
	if (len >= room)
		return fail(p, "a text of %zu bytes: there is room for %zu", len, room ? room - 1 : 0);
	if (off + room > p->len)
		return fail(p, "its type does not fit its size");
	memcpy(p->bytes + off, s, len);
	return true;
}

static bool
parse_array(struct parse *p, const struct btf_type *type, uint64_t off)
{
	const struct btf_array *array = type_array(type);
	int64_t size = typeinfo_size(p->types, array->type);
	struct text word = { 0 };
	bool ok;

	if (size <= 0 || off + (uint64_t)size * array->nelems > p->len)
		return fail(p, "its type does not fit its size");
	if (take_char(p, '[')) {
		for (uint32_t i = 0; i < array->nelems; i++)
			if ((i && !take_char(p, ',')) || !parse_value(p, array->type, (off + (uint64_t)i * (uint64_t)size) * 8, 0))
				return fail(p, "a list of %u is needed", array->nelems);
		return take_char(p, ']') || fail(p, "a list of %u is needed", array->nelems);
	}
	if (!is_text(p->types, type))
		return fail(p, "a list of %u is needed: [...]", array->nelems);
	ok = take_word(p, &word) && store_text(p, word.s ? word.s : "", word.len, off, array->nelems);
	text_fini(&word);
	return ok;
}

/* The number of the member that comes next, by its name, or where it has none the first that was not given. -1: fails. */
static int
next_member(struct parse *p, const struct btf_type *type, const bool *given)
{
	uint32_t n = BTF_INFO_VLEN(type->info), i = 0;
	struct text name = { 0 };
	bool has_name = take_name(p, &name);

	for (; i < n; i++)
		if (has_name ? strcmp(typeinfo_string(p->types, type_members(type)[i].name_off), name.s) == 0 : !given[i])
			break;
	if (i == n && has_name)
		fail(p, "there is no part '%s'", name.s);
	else if (i == n)
		fail(p, "there are but %u parts", n);
	else if (given[i])
		fail(p, "part '%s' is given twice", name.s);
	text_fini(&name);
	return i == n || given[i] ? -1 : (int)i;
}

/* The members up to the end of the words, or to the brace. */
static bool
parse_members(struct parse *p, const struct btf_type *type, uint64_t bit_off, bool *given)
{
	bool is_union = BTF_INFO_KIND(type->info) == BTF_KIND_UNION, braces = take_char(p, '{');
	uint32_t n = BTF_INFO_VLEN(type->info), n_given = 0;

	if (!braces && p->depth > 1)
		return fail(p, "its parts stand in braces");
	do {
		const struct btf_member *member;
		int i = next_member(p, type, given);

		if (i < 0)
			return false;
		member = &type_members(type)[i];
		given[i] = true;
		n_given++;
		if (!parse_value(p, member->type, bit_off + member_bit_off(type, member), member_bits(type, member)))
			return fail(p, "part '%s' is not what it should be", typeinfo_string(p->types, member->name_off));
	} while (take_char(p, ','));
	if (braces && !take_char(p, '}'))
		return fail(p, "a comma or brace is missing before '%s'", p->at);
	for (uint32_t i = 0; i < n && n_given < n && !is_union; i++)
		if (!given[i])
			return fail(p, "part '%s' is missing", typeinfo_string(p->types, type_members(type)[i].name_off));
	return true;
}

static bool
parse_struct(struct parse *p, const struct btf_type *type, uint64_t bit_off)
{
	bool *given = mem_alloc(BTF_INFO_VLEN(type->info) + 1);
	bool ok = given ? parse_members(p, type, bit_off, given) : fail(p, "there is no memory");

	free(given);
	return ok;
}

/* The value of a type that stands at a bit of the bytes; `bits`: of a bit field, else 0. */
static bool
parse_value(struct parse *p, uint32_t id, uint64_t bit_off, uint32_t bits)
{
	const struct btf_type *type = typeinfo_plain(p->types, id, NULL);
	int64_t size = typeinfo_size(p->types, id);
	bool ok = false;

	if (!type || size <= 0 || p->depth == DEPTH_MAX)
		return fail(p, "its type is not known");
	p->depth++;
	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
		ok = size > 8 ? parse_bytes(p, bit_off / 8, (size_t)size) :
				parse_number(p, bit_off, bits ? bits : (uint32_t)size * 8, BTF_INT_ENCODING(type_int(type)) & BTF_INT_BOOL);
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		ok = parse_enum(p, type, bit_off, bits ? bits : (uint32_t)size * 8);
		break;
	case BTF_KIND_PTR:
		ok = parse_number(p, bit_off, 64, false);
		break;
	case BTF_KIND_ARRAY:
		ok = parse_array(p, type, bit_off / 8);
		break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		ok = parse_struct(p, type, bit_off);
		break;
	default: /* floats and what else BTF has */
		ok = parse_bytes(p, bit_off / 8, (size_t)size);
	}
	p->depth--;
	return ok;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------- */

static bool
is_hex(const char *text, size_t len)
{
	return strncmp(text, "0x", 2) == 0 && strlen(text) == 2 + 2 * len && strspn(text + 2, "0123456789abcdefABCDEF") == 2 * len;
}

static bool
parse_whole(struct parse *p, uint32_t id)
{
	const struct btf_type *type = p->types && id && typeinfo_size(p->types, id) == (int64_t)p->len ? typeinfo_plain(p->types, id, NULL) : NULL;
	uint32_t kind = type ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;
	const char *text = p->at;

	if (kind == BTF_KIND_ARRAY && is_text(p->types, type) && *text != '"' && *text != '[') {
		p->at += strlen(text);
		return store_text(p, text, strlen(text), 0, p->len);
	}
	if (kind != BTF_KIND_INT && kind != BTF_KIND_PTR && kind != BTF_KIND_ENUM && kind != BTF_KIND_ENUM64 && is_hex(text, p->len))
		return parse_bytes(p, 0, p->len);
	if (type)
		return parse_value(p, id, 0, 0);
	if (p->len <= 8 && strncmp(text, "0x", 2) != 0 && !strchr(text, ' '))
		return parse_number(p, 0, 8 * (uint32_t)p->len, false);
	return parse_bytes(p, 0, p->len);
}

int
typed_parse(const struct typeinfo *types, uint32_t id, const char *text, void *bytes, size_t len, struct text *why)
{
	struct parse p = { .types = types, .at = text, .bytes = bytes, .len = len, .why = why };
	bool ok;

	memset(bytes, 0, len);
	ok = parse_whole(&p, id);
	skip_blanks(&p);
	if (ok && *p.at)
		ok = fail(&p, "'%s' is left over", p.at);
	return ok ? 0 : -EINVAL;
}

/* ---- how it is written --------------------------------------------------------------------------------------------------- */

static void
put_form(const struct typeinfo *types, uint32_t id, int depth, struct text *out)
{
	const struct btf_type *type = types && id ? typeinfo_plain(types, id, NULL) : NULL;
	uint32_t kind = type && depth < DEPTH_MAX ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;

	if (kind == BTF_KIND_INT && type->size <= 8) {
		text_puts(out, BTF_INT_ENCODING(type_int(type)) & BTF_INT_BOOL ? "BOOL" : "NUMBER");
	} else if (kind == BTF_KIND_PTR) {
		text_puts(out, "NUMBER");
	} else if (kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64) {
		text_puts(out, "NAME");
	} else if (kind == BTF_KIND_ARRAY && is_text(types, type)) {
		text_puts(out, "TEXT");
	} else if (kind == BTF_KIND_ARRAY) {
		text_puts(out, "[");
		put_form(types, type_array(type)->type, depth + 1, out);
		text_printf(out, ", ... %u]", type_array(type)->nelems);
	} else if (kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION) {
		for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
			const char *name = typeinfo_string(types, type_members(type)[i].name_off);

			text_printf(out, "%s%s%s", i == 0 ? "{ " : kind == BTF_KIND_UNION ? " or " : ", ", name, *name ? ": " : "");
			put_form(types, type_members(type)[i].type, depth + 1, out);
		}
		text_puts(out, " }");
	} else {
		text_puts(out, "0xBYTES");
	}
}

void
typed_form(const struct typeinfo *types, uint32_t id, size_t len, struct text *out)
{
	if (types && id && typeinfo_size(types, id) == (int64_t)len)
		put_form(types, id, 0, out);
	else
		text_printf(out, "%s%zu bytes in hex, 0x...", len <= 8 ? "a number, or " : "", len);
}
