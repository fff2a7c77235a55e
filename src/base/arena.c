/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Memory that is freed all at once, and malloc that can be told to fail.
 *
 * An arena is a list of blocks; small requests share a block, large ones get one of their own. With KTAP_DEBUG_ARENA every
 * request is a block, so that AddressSanitizer knows its end. Relies on nothing; promises zeroed, aligned memory or the end of
 * the program: a compiler that ran out of memory has nothing better to do than to say so.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define BLOCK_SIZE (64u * 1024)
#define ALIGNMENT 16

struct block {
	struct block *next;
	size_t used, size; /* bytes of data[] */
	_Alignas(ALIGNMENT) char data[];
};

struct arena {
	struct block *blocks; /* the first one is being filled */
};

static _Noreturn void
out_of_memory(size_t size)
{
	fprintf(stderr, "ktap: out of memory (%zu bytes more were needed)\n", size);
	exit(3);
}

/* KTAP_FAIL_ALLOC=n: true for the n-th call. Kept apart from the allocators so that each is one line longer only. */
static bool
should_fail(void)
{
	static atomic_long left = -2; /* -2: not read yet, -1: never fail */

	if (atomic_load_explicit(&left, memory_order_relaxed) == -1)
		return false;
	if (atomic_load(&left) == -2) {
		const char *n = getenv("KTAP_FAIL_ALLOC");

		atomic_store(&left, n && atol(n) > 0 ? atol(n) : -1);
		if (atomic_load(&left) == -1)
			return false;
	}
	return atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1;
}

void *
mem_alloc(size_t size)
{
	return should_fail() ? NULL : calloc(1, size ? size : 1);
}

void *
mem_realloc(void *old, size_t size)
{
	return should_fail() ? NULL : realloc(old, size ? size : 1);
}

bool
mem_is_zero(const void *bytes, size_t len)
{
	const char *first = bytes;

	return len == 0 || (*first == 0 && memcmp(first, first + 1, len - 1) == 0);
}

struct arena *
arena_new(void)
{
	struct arena *arena = mem_alloc(sizeof(*arena));

	if (!arena)
		out_of_memory(sizeof(*arena));
	return arena;
}

void
arena_free(struct arena *arena)
{
	if (!arena)
		return;
	for (struct block *block = arena->blocks, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	free(arena);
}

static struct block *
block_new(struct arena *arena, size_t size)
{
	struct block *block = size < SIZE_MAX - sizeof(*block) ? mem_alloc(sizeof(*block) + size) : NULL;

	if (!block)
		out_of_memory(size);
	block->size = size;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct block *block = arena->blocks;
	void *p;

#ifdef KTAP_DEBUG_ARENA
	block = block_new(arena, size);
	block->used = size;
	return block->data;
#endif
	if (size > SIZE_MAX - ALIGNMENT)
		out_of_memory(size);
	size = round_up(size ? size : 1, ALIGNMENT);
	if (!block || block->size - block->used < size)
		block = block_new(arena, size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE);
	p = block->data + block->used;
	block->used += size;
	return p;
}

char *
arena_strndup(struct arena *arena, const char *s, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);

	if (len)
		memcpy(copy, s, len);
	return copy;
}

char *
arena_strdup(struct arena *arena, const char *s)
{
	return arena_strndup(arena, s, strlen(s));
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	struct text text = { 0 };
	va_list args;
	char *copy;

	va_start(args, format);
	text_vprintf(&text, format, args);
	va_end(args);
	copy = arena_strndup(arena, text.s, text.len);
	text_fini(&text);
	return copy;
}

void *
arena_grow(struct arena *arena, void *array, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t new_cap;
	void *copy;

	if (n < *cap)
		return array;
	if (*cap > UINT32_MAX / 2)
		out_of_memory((size_t)*cap * size);
	new_cap = *cap ? *cap * 2 : 8;
	copy = arena_alloc(arena, (size_t)new_cap * size);
	if (n)
		memcpy(copy, array, (size_t)n * size);
	*cap = new_cap;
	return copy;
}
