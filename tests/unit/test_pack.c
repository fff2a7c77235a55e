/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What compiled scripts say of their tables and variables, believed or not: forged ones are made by hand, checksum and all. What is refused would have
 * the control half, or a host's walk, write or read behind the room that it has for a key or a value.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ebpf/ebpf.h"

/* A table t and a variable v, as the compiler makes them. */
struct parts {
	struct table globals, table;
	struct global global;
};

static const struct parts good = {
	.globals = { .name = ".globals", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 264, .max_entries = 1, .mappable = true },
	.table = { .name = "t", .kind = TABLE_HASH, .key_size = 24, .value_size = 8, .max_entries = 16, .n_key_parts = 2,
		   .key = { { VALUE_INT, false, 8 }, { VALUE_STR, false, 16 } }, .value = { VALUE_INT, false, 8 } },
	.global = { .name = "v", .shape = { VALUE_STR, true, 256 } },
};

static struct object *
object_of(struct arena *arena, struct parts *parts)
{
	struct object *object = object_new(arena, "forged", NULL);

	object->table_globals = object_add_table(object, &parts->globals);
	object_add_table(object, &parts->table);
	object->n_own_tables = object->n_tables;
	return object;
}

/* What a reader says of a file with these parts. */
static int
unpack(const struct parts *from)
{
	struct parts parts = *from, read = *from;
	struct arena *arena = arena_new();
	struct object *object = object_of(arena, &parts);
	struct text text = { 0 }, why = { 0 };
	int err;

	object->script = arena_alloc(arena, sizeof(*object->script));
	script_init(object->script, arena, "forged.kp", "print(1)", 8);
	object_add_global(object, &parts.global);
	object_pack(object, 0, &text);
	err = object_unpack(object_of(arena, &read), 0, text.s, text.len, &why);
	if (err < 0)
		assert_string_equal(why.s, "its section .ktap is damaged: what it holds does not fit together");
	text_fini(&text);
	text_fini(&why);
	arena_free(arena);
	return err;
}

static void
test_good(void **state)
{
	struct parts parts = good;

	(void)state;
	assert_int_equal(unpack(&parts), 0);
	parts.table.kind = TABLE_PERCPU_ARRAY;
	parts.table.key_size = parts.table.key[0].size = 4;
	parts.table.n_key_parts = 1;
	assert_int_equal(unpack(&parts), 0);
	parts.table.key[0].kind = VALUE_EVENT;
	assert_int_equal(unpack(&parts), 0);
}

static void
test_keys(void **state)
{
	struct parts parts = good;

	(void)state;
	parts.table.key[0].nullable = true; /* one word more than the key has */
	assert_int_equal(unpack(&parts), -EINVAL);
	parts = good;
	parts.table.key[1] = (struct shape){ VALUE_INT, false, 4 }; /* 8 bytes would be written there */
	parts.table.key_size = 12;
	assert_int_equal(unpack(&parts), -EINVAL);
	parts = good;
	parts.table.kind = TABLE_PERCPU_ARRAY; /* whose key is a number, and is read as one */
	parts.table.key[0] = (struct shape){ VALUE_STR, false, 4 };
	parts.table.key_size = 4;
	parts.table.n_key_parts = 1;
	assert_int_equal(unpack(&parts), -EINVAL);
}

static void
test_values(void **state)
{
	struct parts parts = good;

	(void)state;
	parts.table.value_size = parts.table.value.size = 4;
	assert_int_equal(unpack(&parts), -EINVAL);
	parts = good;
	parts.table.value = (struct shape){ VALUE_STR, false, 12 };
	parts.table.value_size = 12;
	assert_int_equal(unpack(&parts), -EINVAL);
	parts = good;
	parts.table.value = (struct shape){ VALUE_STAT, false, 8 };
	parts.table.stat.keep = 1u << STAT_COUNT;
	assert_int_equal(unpack(&parts), 0);
	parts.table.value.nullable = true; /* the cell would begin a word later */
	assert_int_equal(unpack(&parts), -EINVAL);
	parts = good;
	parts.global.shape = (struct shape){ VALUE_STR, false, 20 }; /* of which whole words are read, 16 bytes */
	assert_int_equal(unpack(&parts), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
