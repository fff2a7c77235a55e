/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Memory that is freed all at once, and malloc that can be told to fail.
 *
 * An arena is a list of blocks; small requests share a block, large ones get one of their own. Blocks begin small, since many arenas live for one
 * short program, and become larger. With KTAP_DEBUG_ARENA every request is a block, so that AddressSanitizer knows its end. Relies on
 * nothing; promises zeroed, aligned memory or the end of the program: a compiler that ran out of memory has nothing better to do than to say so.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define BLOCK_MIN (4u * 1024)
#define BLOCK_MAX (64u * 1024)
#define ALIGNMENT 16

/* Larger requests get a block of their own. */
#ifdef KTAP_DEBUG_ARENA
#define SHARED_MAX 0u
#else
#define SHARED_MAX (BLOCK_MIN / 4)
#endif

struct block {
	struct block *next;
	size_t used, size; /* bytes of data[] */
	_Alignas(ALIGNMENT) char data[];
};

struct arena {
	struct block *blocks; /* small requests are put into the first, while it has room */
	size_t shared;        /* size of that one; 0: there was none so far */
};

static _Noreturn void
out_of_memory(size_t size)
{
	fprintf(stderr, "ktap: out of memory (%zu bytes more were needed)\n", size);
	exit(3);
}

#define UNREAD (-1)

/* KTAP_FAIL_ALLOC=n: true for the n-th call, whichever thread makes it. */
static bool
should_fail(void)
{
	static atomic_long calls_left = UNREAD; /* until the one that fails; 0: none fails (any more) */
	long left = atomic_load_explicit(&calls_left, memory_order_relaxed);

	if (left == UNREAD) {
		const char *n = getenv("KTAP_FAIL_ALLOC");

		left = n && atol(n) > 0 ? atol(n) : 0;
		atomic_store(&calls_left, left);
	}
	while (left && !atomic_compare_exchange_weak(&calls_left, &left, left - 1))
		;
	return left == 1;
}

/* As malloc(3) fails. */
static void *
no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *
mem_alloc(size_t size)
{
	return should_fail() ? no_memory() : calloc(1, size ? size : 1);
}

void *
mem_realloc(void *old, size_t size)
{
	return should_fail() ? no_memory() : realloc(old, size ? size : 1);
}

void *
mem_grow(void *array, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t new_cap = *cap ? 2 * *cap : 16;
	void *moved;

	if (n < *cap)
		return array;
	moved = new_cap > *cap ? mem_realloc(array, new_cap * size) : no_memory();
	if (moved)
		*cap = new_cap;
	return moved;
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

/* A block in front of those at *link. */
static struct block *
block_new(struct block **link, size_t size)
{
	struct block *block = size < SIZE_MAX - sizeof(*block) ? mem_alloc(sizeof(*block) + size) : NULL;

	if (!block)
		out_of_memory(size);
	block->size = size;
	block->next = *link;
	*link = block;
	return block;
}

/* A block for small requests, twice as large as the one before. */
static struct block *
block_shared(struct arena *arena)
{
	arena->shared = !arena->shared ? BLOCK_MIN : arena->shared < BLOCK_MAX ? arena->shared * 2 : BLOCK_MAX;
	return block_new(&arena->blocks, arena->shared);
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct block *block = arena->blocks;
	void *p;

	if (size > SHARED_MAX || !SHARED_MAX) { /* behind the first, which still has room */
		block = block_new(block ? &block->next : &arena->blocks, size);
		block->used = size;
		return block->data;
	}
	size = round_up(size ? size : 1, ALIGNMENT);
	if (!block || block->size - block->used < size)
		block = block_shared(arena);
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
