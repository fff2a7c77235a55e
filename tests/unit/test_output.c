/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * output: printf against the C library's, records made by hand, histograms as ktap 0.4 printed them, a
 * stream into a closed pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "output/output.h"

static const struct value_names no_names;

static struct value
of_int(int64_t number)
{
	return (struct value){ .kind = VALUE_INT, .number = number };
}

static struct value
of_str(const char *s)
{
	return (struct value){ .kind = VALUE_STR, .s = s, .len = (uint32_t)strlen(s) };
}

/* ---- printf ------------------------------------------------------------- */

/* What the C library prints for one specification, whose integers are widened to `long long`. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void
c_printf(char *out, size_t size, const char *spec, const struct value *value)
{
	char wide[64];
	size_t len = strlen(spec);

	if (value->kind == VALUE_STR) {
		snprintf(out, size, spec, value->s);
		return;
	}
	if (spec[len - 1] == 'c') {
		snprintf(out, size, spec, (int)value->number);
		return;
	}
	snprintf(wide, sizeof(wide), "%.*sll%c", (int)len - 1, spec, spec[len - 1]);
	snprintf(out, size, wide, (long long)value->number);
}
#pragma GCC diagnostic pop

static void
check_like_c(const char *spec, struct value value)
{
	struct text out = { 0 }, why = { 0 };
	char expected[512];

	c_printf(expected, sizeof(expected), spec, &value);
	if (printf_text(&no_names, spec, strlen(spec), &value, 1, NULL, &out, &why))
		fail_msg("%s: %s", spec, why.s);
	if (strcmp(out.s ? out.s : "", expected) != 0)
		fail_msg("'%s' of %lld: '%s', C prints '%s'", spec, (long long)value.number, out.s, expected);
	text_fini(&out);
	text_fini(&why);
}

/* Every set of flags with every letter, widths and precisions around the lengths that numbers have. */
static void
integers_are_printed_as_c_does(void **state)
{
	static const int64_t numbers[] = { 0,   1,     -1,     7,       8,       15,        16,
					   255, 12345, -12345, INT_MAX, INT_MIN, INT64_MAX, INT64_MIN };
	static const char letters[] = "diuoxX", flags[] = "-+ #0";
	static const char *const widths[] = { "", "1", "5", "20", "99" };
	static const char *const precisions[] = { "", ".", ".0", ".1", ".7", ".25" };
	char spec[32], set[8];

	for (unsigned bits = 0; bits < 32; bits++) {
		unsigned n = 0;

		for (unsigned i = 0; i < 5; i++)
			if (bits & 1u << i)
				set[n++] = flags[i];
		set[n] = 0;
		for (const char *letter = letters; *letter; letter++)
			for (size_t w = 0; w < ARRAY_SIZE(widths); w++)
				for (size_t p = 0; p < ARRAY_SIZE(precisions); p++)
					for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
						snprintf(spec, sizeof(spec), "%%%s%s%s%c", set, widths[w],
							 precisions[p], *letter);
						check_like_c(spec, of_int(numbers[i]));
					}
	}
}

static void
strings_are_printed_as_c_does(void **state)
{
	static const char *const specs[] = { "%s",     "%5s",  "%-5s", "%.2s", "%5.2s",
					     "%-5.2s", "%.0s", "%.s",  "%99s" };
	static const char *const strings[] = { "", "a", "hello", "hello world" };

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		for (size_t j = 0; j < ARRAY_SIZE(strings); j++)
			check_like_c(specs[i], of_str(strings[j]));
	check_like_c("%c", of_int('x'));
	check_like_c("%4c", of_int('x'));
	check_like_c("%-4c", of_int('x'));
}

static void
whole_formats(void **state)
{
	const struct value args[] = { of_str("ls"),
				      of_int(-5),
				      { .kind = VALUE_NONE },
				      { .kind = VALUE_BOOL, .number = 1 },
				      of_int(9) };
	static const struct {
		const char *format, *result, *wrong;
	} rows[] = {
		{ "", "", NULL },
		{ "100%%", "100%", NULL },
		{ "%s: %d [%5s]\n", "ls: -5 [  nil]\n", NULL },
		{ "%s %d %d|", "ls -5 nil|", NULL },
		{ "only text, arguments left over", "only text, arguments left over", NULL },
		{ "%s %s", "ls -5", NULL },
		{ "%d", NULL, "wrong type of argument 2" },
		{ "%s%d%s%d", NULL, "wrong type of argument 5" },
		{ "%s%d%s%s", "ls-5niltrue", NULL },
		{ "text %", NULL, "invalid option" },
		{ "%f", NULL, "invalid option '%f'" },
		{ "%123d", NULL, "width or precision too long" },
		{ "%.123d", NULL, "width or precision too long" },
		{ "%------d", NULL, "repeated flags" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct text out = { 0 }, why = { 0 };
		int err;

		text_puts(&out, "before ");
		err = printf_text(&no_names, rows[i].format, strlen(rows[i].format), args, 5, NULL, &out,
				  &why);
		assert_int_equal(err, rows[i].wrong ? -EINVAL : 0);
		assert_string_equal(out.s + 7,
				    rows[i].wrong ? "" : rows[i].result); /* a wrong format writes nothing */
		if (rows[i].wrong && !strstr(why.s, rows[i].wrong))
			fail_msg("'%s': %s", rows[i].format, why.s);
		text_fini(&out);
		text_fini(&why);
	}
}

static void
missing_argument(void **state)
{
	struct text out = { 0 }, why = { 0 };
	const struct value one = of_int(1);

	assert_int_equal(printf_text(&no_names, "%d %d", 5, &one, 1, NULL, &out, &why), -EINVAL);
	assert_non_null(strstr(why.s, "bad argument #3: (no value)"));
	assert_int_equal(out.len, 0);
	text_fini(&out);
	text_fini(&why);
}

/* ---- print_hist --------------------------------------------------------- */

static struct hist_row
row(const char *key, bool is_number, int64_t count)
{
	return (struct hist_row){
		.key = key, .key_len = (uint32_t)strlen(key), .key_is_number = is_number, .count = count
	};
}

static void
check_hist(struct hist_row *rows, uint32_t n, int64_t max_rows, const char *expected)
{
	struct text out = { 0 };
	const char *body;

	hist_text(rows, n, max_rows, &out);
	body = strchr(out.s, '\n') + 1;
	assert_memory_equal(out.s,
			    "                         value ------------- Distribution ------------- count\n",
			    body - out.s);
	assert_string_equal(body, expected);
	text_fini(&out);
}

static void
hist_is_that_of_ktap(void **state)
{
	struct hist_row rows[] = { row("5", true, 10), row("10", true, 10), row("openat", false, 76),
				   row("read", false, 4) };
	struct hist_row guarded[] = { row("a", false, -3), row("b", false, 3) };
	struct hist_row block = row("<stack trace>\n => f\n", false, 2);

	check_hist(rows, 4, 0,
		   "                         openat |@@@@@@@@@@@@@@@@@@@@@@@@@@@@          76     \n"
		   "                              5 |@@@                                   10     \n"
		   "                             10 |@@@                                   10     \n"
		   "                           read |@                                     4      \n");
	check_hist(guarded, 2, 0,
		   "                              b |                                      3      \n"
		   "                              a |                                      -3     \n");
	check_hist(NULL, 0, 0, "");
	block.key_is_block = true;
	check_hist(&block, 1, 0, "<stack trace>\n => f\n@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n2\n\n");
}

/* n - 1 rows are shown, n being 20 at least. */
static void
hist_cuts_rows(void **state)
{
	struct hist_row rows[30];
	struct text out = { 0 };
	char keys[30][8];
	unsigned n = 0;

	for (int i = 0; i < 30; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%d", i);
		rows[i] = row(keys[i], true, INT64_MAX); /* the sum does not fit 64 bits */
	}
	hist_text(rows, 30, 5, &out);
	for (const char *at = out.s; *at; at++)
		n += *at == '\n';
	assert_int_equal(n, 1 + 19 + 1);
	assert_string_equal(out.s + out.len - 34, "                            ... |\n");
	text_fini(&out);
}

/* ---- records ------------------------------------------------------------ */

static struct shape args_mixed[] = {
	{ VALUE_INT, false, 8 },   { VALUE_STR, false, 16 },  { VALUE_INT, true, 8 },
	{ VALUE_STR, false, 256 }, { VALUE_EVENT, false, 8 }, { VALUE_STR, true, 64 },
};
static struct shape args_one[] = { { VALUE_INT, false, 8 } };
static struct site site_print = { .kind = SITE_PRINT, .args = args_mixed, .n_args = 6 };
static struct site site_printf = {
	.kind = SITE_PRINTF, .format = "<%d>", .format_len = 4, .args = args_one, .n_args = 1
};
static struct site site_exit = { .kind = SITE_EXIT };
static struct site *sites[] = { &site_print, &site_printf, &site_exit };
static struct event event_open = { .system = "syscalls", .name = "sys_enter_openat" };
static struct event *events[] = { &event_open };
static struct object object = {
	.sites = sites, .n_sites = 3, .events = events, .n_events = 1, .stacks[STACKS_KERNEL].first = UINT32_MAX
};
static const struct value_names names = { .object = &object };

struct bytes {
	unsigned char b[512];
	size_t len;
};

static void
add(struct bytes *record, const void *bytes, size_t len)
{
	memcpy(record->b + record->len, bytes, len);
	record->len += len;
}

static void
add64(struct bytes *record, int64_t number)
{
	add(record, &number, 8);
}

static void
add_header(struct bytes *record, uint32_t site, uint32_t event)
{
	add(record, &site, 4);
	add(record, &event, 4);
}

static struct bytes
mixed_record(void)
{
	struct bytes record = { .len = 0 };

	add_header(&record, 0, 0);
	add64(&record, -42);
	add(&record, "short\0\0\0\0\0\0\0\0\0\0", 16);
	add64(&record, 0); /* nil */
	add64(&record, 99);
	add64(&record, 10); /* length of the long string */
	add64(&record, 0);  /* the event */
	add64(&record, 1);  /* present */
	add64(&record, 4);
	add(&record, "long text", 10);
	add(&record, "end", 4);
	return record;
}

static void
records_are_decoded(void **state)
{
	struct bytes mixed = mixed_record(), one = { .len = 0 }, end = { .len = 0 };
	struct text out = { 0 };

	assert_int_equal(record_text(&names, mixed.b, mixed.len, &out), 0);
	assert_string_equal(out.s, "-42\tshort\tnil\tlong text\tsys_enter_openat\tend\n");
	text_clear(&out);
	add_header(&one, 1, 0);
	add64(&one, 7);
	assert_int_equal(record_text(&names, one.b, one.len, &out), 0);
	assert_string_equal(out.s, "<7>");
	add_header(&end, 2, 0);
	assert_int_equal(record_text(&names, end.b, end.len, &out), 1);
	text_fini(&out);
}

/*
 * Cut at any byte, or with lengths and numbers that lie: refused, and never read past the end (heap copies,
 * for ASan).
 */
static void
lying_records_are_refused(void **state)
{
	struct bytes mixed = mixed_record();
	struct text out = { 0 };

	for (size_t len = 0; len < mixed.len; len++) {
		unsigned char *copy = malloc(len ? len : 1);

		memcpy(copy, mixed.b, len);
		assert_int_equal(record_text(&names, copy, len, &out), -EINVAL);
		free(copy);
	}
	memset(mixed.b + 48, 0xff, 8); /* the long string's length */
	assert_int_equal(record_text(&names, mixed.b, mixed.len, &out), -EINVAL);
	mixed = mixed_record();
	mixed.b[0] = 77; /* site */
	assert_int_equal(record_text(&names, mixed.b, mixed.len, &out), -EINVAL);
	assert_int_equal(out.len, 0);
	mixed = mixed_record();
	mixed.b[4] = 77; /* event of the record, used by argstr only */
	mixed.b[56] = 5; /* event as a value */
	assert_int_equal(record_text(&names, mixed.b, mixed.len, &out), 0);
	assert_non_null(strstr(out.s, "event#5"));
	text_fini(&out);
}

static int
two_frames(void *arg, enum value_kind kind, uint32_t id, uint64_t *addrs, uint32_t max)
{
	if (id != 3)
		return -ENOENT;
	addrs[0] = 0x10;
	addrs[1] = 0x20;
	return 2;
}

static void
stacks_are_lines(void **state)
{
	const struct value_names with_stack = { .object = &object, .stack = two_frames };
	struct value stack = { .kind = VALUE_STACK, .number = 3 };
	struct text out = { 0 };

	value_text(&with_stack, &stack, NULL, &out);
	assert_string_equal(out.s, "<stack trace>\n => 0x10\n => 0x20\n");
	text_clear(&out);
	stack.number = -EFAULT;
	value_text(&with_stack, &stack, NULL, &out);
	assert_string_equal(out.s, "<stack trace>\n => (in user mode)\n");
	text_clear(&out);
	stack.number = -EEXIST;
	value_text(&with_stack, &stack, NULL, &out);
	assert_string_equal(out.s, "<stack trace>\n => (not captured: File exists)\n");
	text_fini(&out);
}

static void
numbers_of_any_size(void **state)
{
	static const int64_t numbers[] = { 0, 9, 10, -1, -10, INT64_MAX, INT64_MIN };
	struct text out = { 0 };
	char expected[32];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct value value = of_int(numbers[i]);

		text_clear(&out);
		value_text(&names, &value, NULL, &out);
		snprintf(expected, sizeof(expected), "%lld", (long long)numbers[i]);
		assert_string_equal(out.s, expected);
	}
	text_fini(&out);
}

/* ---- the stream --------------------------------------------------------- */

static void
stream_keeps_order_and_bytes(void **state)
{
	char path[] = "/tmp/ktap-test-XXXXXX";
	int fd = mkstemp(path);
	struct output *out = output_new(fd);
	static char large[200000], back[400000];
	size_t total = 0;
	ssize_t n;

	memset(large, 'L', sizeof(large));
	output_write(out, "first ", 6);
	output_write(out, large, sizeof(large));
	for (int i = 0; i < 20000; i++)
		output_write(out, "line\n", 5);
	assert_int_equal(output_free(out), 0);
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, back + total, sizeof(back) - total)) > 0)
		total += (size_t)n;
	assert_int_equal(total, 6 + sizeof(large) + 100000);
	assert_memory_equal(back, "first LLL", 9);
	assert_memory_equal(back + total - 10, "line\nline\n", 10);
	close(fd);
	unlink(path);
}

/* No SIGPIPE, and the error stays. */
static void
stream_into_a_closed_pipe(void **state)
{
	struct output *out;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	out = output_new(fds[1]);
	output_write(out, "x", 1);
	assert_int_equal(output_error(out), 0);
	assert_int_equal(output_flush(out), -EPIPE);
	output_write(out, "y", 1);
	assert_int_equal(output_error(out), -EPIPE);
	assert_int_equal(output_free(out), -EPIPE);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_printed_as_c_does),
		cmocka_unit_test(strings_are_printed_as_c_does),
		cmocka_unit_test(whole_formats),
		cmocka_unit_test(missing_argument),
		cmocka_unit_test(hist_is_that_of_ktap),
		cmocka_unit_test(hist_cuts_rows),
		cmocka_unit_test(records_are_decoded),
		cmocka_unit_test(lying_records_are_refused),
		cmocka_unit_test(stacks_are_lines),
		cmocka_unit_test(numbers_of_any_size),
		cmocka_unit_test(stream_keeps_order_and_bytes),
		cmocka_unit_test(stream_into_a_closed_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
