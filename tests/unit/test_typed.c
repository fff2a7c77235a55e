/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Values of C types as text and back: what is shown is read again, as is JSON; whatever bytes a value has, its text leads to the same bytes; what is
 * wrong is refused with its reason; and the order of values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bpf/btf.h>
#include <cmocka.h>

#include "output/output.h"

/*
 * enum mode { OFF, ON, FAR = -3 };
 * union either { u32 number; char letters[4]; };
 * struct inner { s16 x; u16 y; };
 * struct all { s64 big; char name[8]; void *where; struct inner in; enum mode mode; u32 list[2]; union either either;
 *              u32 low : 3, high : 29; bool yes; u8 bytes[3]; };                                            -- 52 bytes, no gaps but behind
 */
#define ALL_SIZE 52

static struct typeinfo *types;
static uint32_t all_id, inner_id, name_id, s64_id, u32_id;

static int
setup(void **state)
{
	struct btf *btf = btf__new_empty();
	int s64 = btf__add_int(btf, "long", 8, BTF_INT_SIGNED), s16 = btf__add_int(btf, "short", 2, BTF_INT_SIGNED);
	int u32 = btf__add_int(btf, "unsigned int", 4, 0), u16 = btf__add_int(btf, "unsigned short", 2, 0);
	int c = btf__add_int(btf, "char", 1, BTF_INT_SIGNED), u8 = btf__add_int(btf, "unsigned char", 1, 0);
	int boolean = btf__add_int(btf, "_Bool", 1, BTF_INT_BOOL), name = btf__add_array(btf, u32, c, 8), pointer = btf__add_ptr(btf, 0);
	int list = btf__add_array(btf, u32, u32, 2), bytes = btf__add_array(btf, u32, u8, 3), letters = btf__add_array(btf, u32, c, 4);
	int mode, either, inner;
	struct text why = { 0 };
	const void *raw;
	uint32_t len;

	mode = btf__add_enum(btf, "mode", 4);
	btf__add_enum_value(btf, "OFF", 0);
	btf__add_enum_value(btf, "ON", 1);
	btf__add_enum_value(btf, "FAR", -3);
	either = btf__add_union(btf, "either", 4);
	btf__add_field(btf, "number", u32, 0, 0);
	btf__add_field(btf, "letters", letters, 0, 0);
	inner = btf__add_struct(btf, "inner", 4);
	btf__add_field(btf, "x", s16, 0, 0);
	btf__add_field(btf, "y", u16, 16, 0);
	all_id = (uint32_t)btf__add_struct(btf, "all", ALL_SIZE);
	btf__add_field(btf, "big", s64, 0, 0);
	btf__add_field(btf, "name", name, 64, 0);
	btf__add_field(btf, "where", pointer, 128, 0);
	btf__add_field(btf, "in", inner, 192, 0);
	btf__add_field(btf, "mode", mode, 224, 0);
	btf__add_field(btf, "list", list, 256, 0);
	btf__add_field(btf, "either", either, 320, 0);
	btf__add_field(btf, "low", u32, 352, 3);
	btf__add_field(btf, "high", u32, 355, 29);
	btf__add_field(btf, "yes", boolean, 384, 0);
	btf__add_field(btf, "bytes", bytes, 392, 0);
	inner_id = (uint32_t)inner;
	name_id = (uint32_t)name;
	s64_id = (uint32_t)s64;
	u32_id = (uint32_t)u32;
	raw = btf__raw_data(btf, &len);
	types = typeinfo_new(raw, len, NULL, &why);
	btf__free(btf);
	text_fini(&why);
	return types ? 0 : -1;
}

static int
teardown(void **state)
{
	typeinfo_free(types);
	return 0;
}

/* What a text is read as, shown; NULL: it is refused with a reason. */
static const char *
again(uint32_t id, size_t len, const char *text)
{
	static char shown[512];
	uint8_t bytes[ALL_SIZE];
	struct text why = { 0 }, out = { 0 };
	int err = typed_parse(types, id, text, bytes, len, &why);

	assert_int_equal(err == 0, why.len == 0);
	if (err == 0)
		typed_text(types, id, bytes, len, &out);
	snprintf(shown, sizeof(shown), "%s", err == 0 ? out.s : why.s);
	text_fini(&why);
	text_fini(&out);
	return err == 0 ? shown : NULL;
}

#define SHOWN "{ big: -5, name: \"a\\\"b\\\\c\", where: 0xffff800000000010, in: { x: -1, y: 65535 }, mode: ON, list: [1, 2], " \
	      "either: { number: 7 }, low: 5, high: 536870911, yes: true, bytes: [1, 2, 255] }"
#define WHOLE "{ big: -5, name: \"a\\\"b\\\\c\", where: 0xffff800000000010, in: { x: -1, y: 65535 }, mode: ON, list: [1, 2], " \
	      "either: { number: 7, letters: \"\\x07\" }, low: 5, high: 536870911, yes: true, bytes: [1, 2, 255] }"

static void
test_forms(void **state)
{
	/* Parts by name in any order, without names, without the outer braces; JSON. */
	assert_string_equal(again(all_id, ALL_SIZE, SHOWN), WHOLE);
	assert_string_equal(again(all_id, ALL_SIZE, WHOLE), WHOLE);
	assert_string_equal(again(all_id, ALL_SIZE, "-5, \"a\\\"b\\\\c\", 0xffff800000000010, {-1, 65535}, ON, [1,2], {number: 7}, 5, 536870911, true, [1,2,255]"),
			    WHOLE);
	assert_string_equal(again(all_id, ALL_SIZE, "{\"yes\":true,\"low\":5,\"high\":536870911,\"list\":[1,2],\"either\":{\"letters\":\"\\u0007\"},\"mode\":\"ON\","
						    "\"in\":{\"y\":65535,\"x\":-1},\"where\":18446603336221196304,\"name\":\"a\\u0022b\\\\c\",\"big\":-5,"
						    "\"bytes\":[1,2,255]}"),
			    WHOLE);
	assert_string_equal(again(inner_id, 4, "0xffff0100"), "{ x: -1, y: 1 }");
	assert_string_equal(again(inner_id, 4, "y: 3, x: -32768"), "{ x: -32768, y: 3 }");
	assert_string_equal(again(name_id, 8, "cat, 7"), "\"cat, 7\"");
	assert_string_equal(again(name_id, 8, "\"cat\\n\""), "\"cat\\n\"");
	assert_string_equal(again(s64_id, 8, "0xffffffffffffffff"), "-1");
	assert_string_equal(again(u32_id, 4, "-1"), "4294967295");
	assert_string_equal(again(0, 3, "01 02 ff"), "01 02 ff");
	assert_string_equal(again(0, 3, "0x0102ff"), "01 02 ff");
	assert_string_equal(again(0, 4, "258"), "02 01 00 00");
}

static void
test_refused(void **state)
{
	static const char *const inner[] = { "", "1", "1,2,3", "{1,2", "1,2}", "{x: 1}", "{x: 1, x: 2}", "{z: 1, y: 2}", "{x: 1, y: 2} 3", "1,65536", "-32769,1",
					     "1,two", "1,2,", "0x01", "\"", "{\"x\": 1, y}", "1 2", "[1,2]", "\\", "{{1,2}}" };

	for (size_t i = 0; i < ARRAY_SIZE(inner); i++)
		if (again(inner_id, 4, inner[i]))
			fail_msg("'%s' was taken", inner[i]);
	assert_null(again(name_id, 8, "12345678"));
	assert_null(again(name_id, 8, "\"a"));
	assert_null(again(name_id, 8, "\"\\q\""));
	assert_null(again(name_id, 8, "\"\\u00\""));
	assert_null(again(name_id, 8, "[1,2]"));
	assert_null(again(u32_id, 4, "4294967296"));
	assert_null(again(s64_id, 8, "18446744073709551616"));
	assert_null(again(s64_id, 8, "-9223372036854775809"));
	assert_null(again(0, 3, "0x0102"));
	assert_null(again(0, 3, "01 02"));
	assert_null(again(0, 2, "65536"));
}

/* Any bytes, shown, are read as the same bytes; texts end at their NUL, so bytes behind it are zeros. */
static void
test_any_bytes(void **state)
{
	uint64_t x = 88172645463325252u;

	for (int n = 0; n < 2000; n++) {
		uint8_t bytes[ALL_SIZE], back[ALL_SIZE];
		struct text shown = { 0 }, why = { 0 };

		for (size_t i = 0; i < sizeof(bytes); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			bytes[i] = (uint8_t)(x >> 24);
		}
		memset(bytes + 8 + n % 8, 0, 8 - (size_t)(n % 8));
		bytes[43] = 0; /* of the union's text */
		bytes[48] &= 1;
		typed_text(types, all_id, bytes, sizeof(bytes), &shown);
		if (typed_parse(types, all_id, shown.s, back, sizeof(back), &why) < 0)
			fail_msg("%s: %s", shown.s, why.s);
		/* A text may hold a byte 0 further in front. */
		for (size_t i = 8 + strnlen((char *)bytes + 8, 8); i < 16; i++)
			bytes[i] = 0;
		assert_memory_equal(back, bytes, sizeof(bytes));
		text_fini(&shown);
	}
}

static int
order(uint32_t id, size_t len, const char *a, const char *b)
{
	uint8_t x[ALL_SIZE], y[ALL_SIZE];
	struct text why = { 0 };

	assert_int_equal(typed_parse(types, id, a, x, len, &why), 0);
	assert_int_equal(typed_parse(types, id, b, y, len, &why), 0);
	return typed_compare(types, id, x, y, len);
}

static void
test_order(void **state)
{
	assert_true(order(s64_id, 8, "-1", "1") < 0);
	assert_true(order(u32_id, 4, "-1", "1") > 0);
	assert_true(order(u32_id, 4, "256", "1") > 0);
	assert_true(order(inner_id, 4, "-1,9", "1,2") < 0);
	assert_true(order(inner_id, 4, "1,256", "1,2") > 0);
	assert_true(order(name_id, 8, "ab", "b") < 0);
	assert_int_equal(order(inner_id, 4, "3,4", "3,4"), 0);
	assert_true(order(0, 4, "256", "1") > 0);
}

static void
test_form(void **state)
{
	struct text out = { 0 };

	typed_form(types, all_id, ALL_SIZE, &out);
	assert_string_equal(out.s, "{ big: NUMBER, name: TEXT, where: NUMBER, in: { x: NUMBER, y: NUMBER }, mode: NAME, list: [NUMBER, ... 2], "
				   "either: { number: NUMBER or letters: TEXT }, low: NUMBER, high: NUMBER, yes: BOOL, bytes: TEXT }");
	text_fini(&out);
}

/* Values of two CPUs stand 8 bytes apart. Sums are of 64 bits, however small the numbers are. */
static void
test_cpus(void **state)
{
	const uint32_t full[4] = { UINT32_MAX, 0, 1, 0 };
	const int64_t big[2] = { -7, 3 };
	const uint8_t points[16] = { 1, 0, 2, 0, 0, 0, 0, 0, 0xff, 0xff, 3, 0 };
	struct text out = { 0 };

	typed_cpus_text(types, u32_id, full, 4, 2, &out);
	assert_string_equal(out.s, "4294967296");
	text_clear(&out);
	typed_cpus_text(types, s64_id, big, 8, 2, &out);
	assert_string_equal(out.s, "-4");
	text_clear(&out);
	typed_cpus_text(types, inner_id, points, 4, 2, &out);
	assert_string_equal(out.s, "cpu 0: { x: 1, y: 2 }, cpu 1: { x: -1, y: 3 }");
	text_clear(&out);
	typed_cpus_text(types, inner_id, points, 4, 1, &out);
	assert_string_equal(out.s, "{ x: 1, y: 2 }");
	text_clear(&out);
	typed_cpus_text(NULL, 0, points, 2, 2, &out);
	assert_string_equal(out.s, "cpu 0: 01 00, cpu 1: ff ff");
	text_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms), cmocka_unit_test(test_cpus), cmocka_unit_test(test_refused), cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_order), cmocka_unit_test(test_form),
	};

	return cmocka_run_group_tests_name("typed", tests, setup, teardown);
}
