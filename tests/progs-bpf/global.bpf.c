/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Global functions, verified by their types: with a number, memory that may be null, the context by name and by tag; a hidden one, which is as
 * a static one.
 *
 * compilers: clang
 * run: getppid 5 getpid 3
 * prints: n = 8
 * prints: sum = 667
 */
#include "prelude.h"

struct sums {
	u64 n, sum;
};

u64 n, sum;

__noinline int
add(struct sums *sums, int nr)
{
	if (!sums)
		return 1;
	sums->n++;
	sums->sum += nr;
	return 0;
}

__noinline int
number_of(struct bpf_raw_tracepoint_args *ctx)
{
	return ctx->args[1];
}

__noinline int
is_known(void *ctx __attribute__((btf_decl_tag("arg:ctx"))), const int *nr)
{
	return nr && (*nr == 39 || *nr == 110) && ((u64 *)ctx)[1] == *nr;
}

/* Its argument is an index, which it does not test: only its callers are looked at. */
__attribute__((visibility("hidden"))) __noinline u64
nth(const u64 *values, u64 i)
{
	return values[i];
}

SEC("raw_tp/sys_enter")
int
on_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct sums sums = { 0 };
	u64 values[2];
	int nr = number_of(ctx);

	if (!is_target() || !is_known(ctx, &nr) || add(&sums, nr) || !add(0, nr))
		return 0;
	values[0] = sums.n;
	values[1] = sums.sum;
	__sync_fetch_and_add(&n, nth(values, 0));
	__sync_fetch_and_add(&sum, nth(values, 1));
	return 0;
}
