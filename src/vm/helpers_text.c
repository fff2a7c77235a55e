/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Helpers that make text of numbers and numbers of text: snprintf, strtol, strtoul, and the formats that they and trace_printk take. A format
 * is what the kernel's helpers take and nothing else: %% %c %s %p %pK %px %ps %pS %pB %pks %pus %pI4 %pi4 %pI6 %pi6, and %d %i %u %x %X, which
 * 'l' and 'll' may precede, all with the flags "0", "+", "-", " " and a width. Here no pointer is hashed.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm_int.h"

#define WIDTH_MAX 1024
#define STRING_MAX 512 /* bytes of a %s */

/* ---- formats ------------------------------------------------------------------------------------------------------ */

/* One conversion: "%-08llx". */
struct conversion {
	bool minus, plus, space, zero, is_long, is_user, is_raw;
	uint32_t width;
	char type; /* c s p d u x X; 'f': a function of the kernel; '4', '6': an address of IPv4, IPv6, is_raw: as "%pi4", "%pi6" have it */
};

static bool
take_flag(struct conversion *c, char flag)
{
	switch (flag) {
	case '-':
		return c->minus = true;
	case '+':
		return c->plus = true;
	case ' ':
		return c->space = true;
	case '0':
		return c->zero = true;
	default:
		return false;
	}
}

/* What follows "%p": anything that is no letter or digit ends it. */
static const char *
parse_pointer(struct conversion *c, const char *p)
{
	if (*p == 'K' || *p == 'x')
		return p + 1;
	if (*p == 's' || *p == 'S' || *p == 'B') {
		c->type = 'f';
		return p + 1;
	}
	if ((p[0] == 'I' || p[0] == 'i') && (p[1] == '4' || p[1] == '6')) {
		c->is_raw = *p == 'i';
		c->type = p[1];
		return p + 2;
	}
	if ((p[0] == 'k' || p[0] == 'u') && p[1] == 's') {
		c->is_user = *p == 'u';
		c->type = 's';
		return p + 2;
	}
	return isalnum((unsigned char)*p) ? NULL : p;
}

/* What follows '%', up to the end of the conversion. NULL: not one of ours. */
static const char *
parse_conversion(struct conversion *c, const char *p)
{
	*c = (struct conversion){ .type = 0 };
	while (take_flag(c, *p))
		p++;
	for (; isdigit((unsigned char)*p); p++)
		if ((c->width = c->width * 10 + (uint32_t)(*p - '0')) > WIDTH_MAX)
			return NULL;
	if (*p == 'l') {
		c->is_long = true;
		p += p[1] == 'l' ? 2 : 1;
	}
	if (!*p || !strchr(c->is_long ? "diuxX" : "diuxXcsp", *p))
		return NULL;
	c->type = *p == 'i' ? 'd' : *p;
	return *p == 'p' ? parse_pointer(c, p + 1) : p + 1;
}

int
format_check(const char *format, uint32_t n_values)
{
	struct conversion c;
	uint32_t n = 0;

	for (const char *p = format; p && *p;) {
		if ((!isprint((unsigned char)*p) && !isspace((unsigned char)*p)) || (unsigned char)*p > 127)
			return -EINVAL;
		if (*p++ != '%')
			continue;
		if (*p == '%') {
			p++;
			continue;
		}
		p = parse_conversion(&c, p);
		if (!p || n++ == n_values)
			return -EINVAL;
	}
	return 0;
}

/* Text in the width of a conversion; zeros go behind a sign. A character may be the NUL. */
static void
put_padded(struct text *out, const struct conversion *c, const char *sign, const char *s)
{
	size_t s_len = c->type == 'c' ? 1 : strlen(s), len = strlen(sign) + s_len, pad = c->width > len ? c->width - len : 0;
	bool zeros = c->zero && !c->minus && !strchr("scf", c->type);

	for (size_t i = 0; i < pad && !zeros && !c->minus; i++)
		text_putc(out, ' ');
	text_puts(out, sign);
	for (size_t i = 0; i < pad && zeros; i++)
		text_putc(out, '0');
	text_add(out, s, s_len);
	for (size_t i = 0; i < pad && c->minus; i++)
		text_putc(out, ' ');
}

static void
put_signed(struct text *out, const struct conversion *c, int64_t value)
{
	uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char digits[32];

	snprintf(digits, sizeof(digits), "%" PRIu64, magnitude);
	put_padded(out, c, value < 0 ? "-" : c->plus ? "+" : c->space ? " " : "", digits);
}

static void
put_string(struct vm_run *run, struct text *out, const struct conversion *c, uint64_t addr)
{
	char s[STRING_MAX] = "";
	int64_t len = c->is_user ? memory_read_user_str(run, s, addr, sizeof(s)) : memory_read_own_str(run, s, addr, sizeof(s));

	put_padded(out, c, "", len < 0 ? "" : s);
}

/* The bytes at an address, in the order of the network; zeros where it cannot be read. As in the kernel the width means nothing. */
static void
put_ip(struct vm_run *run, struct text *out, const struct conversion *c, uint64_t addr)
{
	uint8_t ip[16] = { 0 };

	if (memory_read_own(run, ip, addr, c->type == '4' ? 4 : 16))
		memset(ip, 0, sizeof(ip));
	for (int i = 0; c->type == '4' && i < 4; i++)
		text_printf(out, c->is_raw ? "%s%03u" : "%s%u", i ? "." : "", ip[i]);
	for (int i = 0; c->type == '6' && i < 16; i += 2)
		text_printf(out, "%s%02x%02x", i && !c->is_raw ? ":" : "", ip[i], ip[i + 1]);
}

static void
put_value(struct vm_run *run, struct text *out, const struct conversion *c, uint64_t value)
{
	char digits[32] = { (char)value };

	switch (c->type) {
	case 'd':
		put_signed(out, c, c->is_long ? (int64_t)value : (int64_t)(int32_t)value);
		return;
	case 's':
		put_string(run, out, c, value);
		return;
	case '4':
	case '6':
		put_ip(run, out, c, value);
		return;
	case 'c':
		break;
	case 'u':
		snprintf(digits, sizeof(digits), "%" PRIu64, c->is_long ? value : (uint64_t)(uint32_t)value);
		break;
	case 'x':
		snprintf(digits, sizeof(digits), "%" PRIx64, c->is_long ? value : (uint64_t)(uint32_t)value);
		break;
	case 'X':
		snprintf(digits, sizeof(digits), "%" PRIX64, c->is_long ? value : (uint64_t)(uint32_t)value);
		break;
	case 'f': /* as the kernel does with what is none */
		snprintf(digits, sizeof(digits), "0x%" PRIx64, value);
		break;
	case 'p':
		snprintf(digits, sizeof(digits), "%016" PRIx64, value);
		break;
	}
	put_padded(out, c, "", digits);
}

int
format_text(struct vm_run *run, struct text *out, const char *format, const uint64_t *values, uint32_t n_values)
{
	struct conversion c;
	uint32_t n = 0;
	int err = format_check(format, n_values);

	for (const char *p = format; !err && *p;) {
		if (*p != '%') {
			text_putc(out, *p++);
		} else if (p[1] == '%') {
			text_putc(out, '%');
			p += 2;
		} else {
			p = parse_conversion(&c, p + 1);
			put_value(run, out, &c, values[n++]);
		}
	}
	return err;
}

/* Writes what fits; the result counts all of it, with the NUL. The verifier has checked the format. */
uint64_t
helper_snprintf(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	uint64_t values[FORMAT_VALUES_MAX], len;
	struct text out = { 0 };
	int err;

	if (r5 % 8 || r5 > FORMAT_VALUES_MAX * 8 || (r5 && !r4))
		return ERRNO(EINVAL);
	if (r5)
		memcpy(values, ptr(r4), r5); /* they may stand anywhere */
	err = format_text(run, &out, ptr(r3), values, (uint32_t)r5 / 8);
	len = out.len + 1;
	if (!err && r2) {
		memcpy(ptr(r1), out.s ? out.s : "", len < r2 ? len : r2);
		((char *)ptr(r1))[(len < r2 ? len : r2) - 1] = '\0';
	}
	text_fini(&out);
	return err ? (uint64_t)(int64_t)err : len;
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------ */

/* A number being read. */
struct number {
	bool negative;
	uint64_t magnitude;
	int64_t n_chars; /* that it took, or -errno */
};

static int
digit_of(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : 99;
}

/* As in the kernel, whatever the locale of the process. */
static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0';
}

/* White space, a sign, "0x" or "0" where the base asks for it, digits. In base 16 "0x" is never the digit 0, whatever follows it. */
static struct number
parse_number(const char *s, uint64_t len, uint64_t flags)
{
	struct number number = { .n_chars = -EINVAL };
	unsigned base = (unsigned)flags;
	uint64_t at = 0, first;

	if (flags != 0 && flags != 8 && flags != 10 && flags != 16)
		return number;
	while (at < len && is_space(s[at]))
		at++;
	if (at < len && s[at] == '-') {
		number.negative = true;
		at++;
	}
	if (at + 1 < len && s[at] == '0' && tolower((unsigned char)s[at + 1]) == 'x' &&
	    (base == 16 || (!base && at + 2 < len && digit_of(s[at + 2]) < 16))) {
		base = 16;
		at += 2;
	} else if (!base) {
		base = at < len && s[at] == '0' ? 8 : 10;
	}
	for (first = at; at < len && (unsigned)digit_of(s[at]) < base; at++) {
		if (number.magnitude > (UINT64_MAX - (unsigned)digit_of(s[at])) / base) {
			number.n_chars = -ERANGE;
			return number;
		}
		number.magnitude = number.magnitude * base + (unsigned)digit_of(s[at]);
	}
	if (at > first)
		number.n_chars = (int64_t)at;
	return number;
}

uint64_t
helper_strtol(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	struct number number = parse_number(ptr(r1), r2, r3);
	int64_t value;

	if (number.n_chars >= 0 && number.magnitude > (uint64_t)INT64_MAX + number.negative)
		number.n_chars = -ERANGE;
	value = number.n_chars < 0 ? 0 : (int64_t)(number.negative ? -number.magnitude : number.magnitude);
	memcpy(ptr(r4), &value, sizeof(value));
	return (uint64_t)number.n_chars;
}

uint64_t
helper_strtoul(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	struct number number = parse_number(ptr(r1), r2, r3);
	uint64_t value;

	if (number.n_chars >= 0 && number.negative)
		number.n_chars = -EINVAL;
	value = number.n_chars < 0 ? 0 : number.magnitude;
	memcpy(ptr(r4), &value, sizeof(value));
	return (uint64_t)number.n_chars;
}
