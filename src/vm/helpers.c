/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The helpers: what programs may call, with the meanings of <linux/bpf.h>. The verifier has checked the arguments against
 * helpers.def before a helper runs: tables are tables, memory is there for its whole size. Numbers marked ANY are whatever
 * the program says.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vm/lock.h"
#include "vm/vm_int.h"

static struct vm_table *
table_of(uint64_t value)
{
	return ptr(value);
}

/* The index into per-CPU tables. */
static uint32_t
run_cpu(const struct vm_run *run)
{
	return (uint32_t)run->cpu;
}

/* Every helper takes five numbers, most look at fewer. */
#define HELPER_FN(name) \
	uint64_t helper_##name(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)

/* ---- tables ------------------------------------------------------------------------------------------ */

HELPER_FN(map_lookup_elem)
{
	return (uintptr_t)table_find(table_of(r1), ptr(r2), run_cpu(run));
}

HELPER_FN(map_update_elem)
{
	return (uint64_t)(int64_t)table_update(table_of(r1), ptr(r2), ptr(r3), r4, run_cpu(run));
}

HELPER_FN(map_delete_elem)
{
	return (uint64_t)(int64_t)table_remove(table_of(r1), ptr(r2));
}

HELPER_FN(map_push_elem)
{
	return (uint64_t)(int64_t)table_of(r1)->ops->push(table_of(r1), ptr(r2), r3);
}

HELPER_FN(map_pop_elem)
{
	return (uint64_t)(int64_t)table_of(r1)->ops->pop(table_of(r1), ptr(r2));
}

HELPER_FN(map_peek_elem)
{
	return (uint64_t)(int64_t)table_of(r1)->ops->peek(table_of(r1), ptr(r2));
}

HELPER_FN(map_lookup_percpu_elem)
{
	return (uint32_t)r3 < run->vm->n_cpus ? (uintptr_t)table_find(table_of(r1), ptr(r2), (uint32_t)r3) : 0;
}

/* ---- locks in values ------------------------------------------------------------------------------------ */

HELPER_FN(spin_lock)
{
	run->locked = ptr(r1);
	lock_take(run->locked);
	return 0;
}

HELPER_FN(spin_unlock)
{
	run->locked = NULL;
	lock_give(ptr(r1));
	return 0;
}

/* ---- memory ------------------------------------------------------------------------------------------- */

/* A read that fails leaves zeros, so that what the program then looks at is never undefined. */
static uint64_t
zero_on_failure(int64_t result, uint64_t dst, uint64_t size)
{
	if (result < 0)
		memset(ptr(dst), 0, size);
	return (uint64_t)result;
}

HELPER_FN(probe_read_kernel)
{
	return zero_on_failure(memory_read_own(run, ptr(r1), r3, r2), r1, r2);
}

HELPER_FN(probe_read_kernel_str)
{
	return zero_on_failure(memory_read_own_str(run, ptr(r1), r3, r2), r1, r2);
}

HELPER_FN(probe_read_user)
{
	return zero_on_failure(memory_read_user(run, ptr(r1), r3, r2), r1, r2);
}

HELPER_FN(probe_read_user_str)
{
	return zero_on_failure(memory_read_user_str(run, ptr(r1), r3, r2), r1, r2);
}

HELPER_FN(copy_from_user)
{
	return helper_probe_read_user(run, r1, r2, r3, r4, r5);
}

/* The old reads do not say whose memory they mean. Ours where we know the address, else the process's if there is one. */
static bool
means_user(const struct vm_run *run, uint64_t addr)
{
	return run->env->read_user && !memory_is_known(run, addr, 1);
}

HELPER_FN(probe_read)
{
	return means_user(run, r3) ? helper_probe_read_user(run, r1, r2, r3, r4, r5)
				   : helper_probe_read_kernel(run, r1, r2, r3, r4, r5);
}

HELPER_FN(probe_read_str)
{
	return means_user(run, r3) ? helper_probe_read_user_str(run, r1, r2, r3, r4, r5)
				   : helper_probe_read_kernel_str(run, r1, r2, r3, r4, r5);
}

HELPER_FN(strncmp)
{
	int order = strncmp(ptr(r1), ptr(r3), r2);

	return (uint64_t)(int64_t)((order > 0) - (order < 0)); /* the kernel's gives no other numbers */
}

/* ---- who and when --------------------------------------------------------------------------------------- */

HELPER_FN(ktime_get_ns)
{
	return run->env->ktime_ns;
}

HELPER_FN(ktime_get_boot_ns)
{
	return helper_ktime_get_ns(run, r1, r2, r3, r4, r5) + (uint64_t)run->vm->boot_minus_monotonic;
}

HELPER_FN(ktime_get_tai_ns)
{
	return helper_ktime_get_ns(run, r1, r2, r3, r4, r5) + (uint64_t)run->vm->tai_minus_monotonic;
}

/* xorshift64 (Marsaglia 2003), the high half, which is the better one. */
HELPER_FN(get_prandom_u32)
{
	uint64_t x = __atomic_load_n(&run->vm->random, __ATOMIC_RELAXED); /* two threads may get the same: all the same */

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	__atomic_store_n(&run->vm->random, x, __ATOMIC_RELAXED);
	return x >> 32;
}

HELPER_FN(get_smp_processor_id)
{
	return run->env->cpu;
}

HELPER_FN(get_current_pid_tgid)
{
	return vm_env_ids(run->env);
}

HELPER_FN(get_current_uid_gid)
{
	return (uint64_t)run->env->gid << 32 | run->env->uid;
}

HELPER_FN(get_current_comm)
{
	char *dst = ptr(r1);
	size_t n = r2 - 1; /* the verifier allows no size of 0 */

	memset(dst, 0, r2);
	if (n > sizeof(run->env->comm))
		n = sizeof(run->env->comm);
	memcpy(dst, run->env->comm, strnlen(run->env->comm, n));
	return 0;
}

HELPER_FN(get_attach_cookie)
{
	return run->env->cookie;
}

/* As a machine of one node. */
HELPER_FN(get_numa_node_id)
{
	return 0;
}

HELPER_FN(ktime_get_coarse_ns)
{
	return helper_ktime_get_ns(run, r1, r2, r3, r4, r5);
}

/* ---- stacks: of the program that raised the event, and the kernel's below it where the source has that ---------- */

#define UNWIND_MAX (VM_STACK_DEPTH_MAX + BPF_F_SKIP_FIELD_MASK)

/* The frames that a helper wants, after those that it skips. Returns how many, or -errno. */
static int64_t
unwind(const struct vm_run *run, uint64_t flags, uint64_t *frames, uint32_t max)
{
	uint64_t all[UNWIND_MAX], skip = flags & BPF_F_SKIP_FIELD_MASK;
	int64_t (*frames_of)(void *arg, uint64_t *addrs, uint32_t max) = flags & BPF_F_USER_STACK ? run->env->unwind : run->env->unwind_kernel;
	int64_t n;

	if (!frames_of)
		return -EOPNOTSUPP;
	n = frames_of(run->env->arg, all, (uint32_t)skip + max);
	if (n < 0)
		return n;
	if ((uint64_t)n <= skip)
		return -EFAULT;
	memcpy(frames, all + skip, 8 * ((size_t)n - skip));
	return n - (int64_t)skip;
}

HELPER_FN(get_stackid)
{
	uint64_t frames[VM_STACK_DEPTH_MAX];
	struct vm_table *t = table_of(r2);
	int64_t n;

	if (r3 & ~(uint64_t)(BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_FAST_STACK_CMP | BPF_F_REUSE_STACKID))
		return ERRNO(EINVAL);
	n = unwind(run, r3, frames, t->table->value_size / 8);
	return (uint64_t)(n < 0 ? n : stacks_add(t, frames, (uint32_t)n));
}

HELPER_FN(get_stack)
{
	uint64_t frames[VM_STACK_DEPTH_MAX], max = r3 / 8 < VM_STACK_DEPTH_MAX ? r3 / 8 : VM_STACK_DEPTH_MAX;
	int64_t n;

	memset(ptr(r2), 0, r3);
	if (r4 & ~(uint64_t)(BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK) || r3 % 8)
		return ERRNO(EINVAL);
	n = unwind(run, r4, frames, (uint32_t)max);
	if (n > 0)
		memcpy(ptr(r2), frames, 8 * (size_t)n);
	return (uint64_t)(n < 0 ? n : 8 * n);
}

/* ---- ring buffer --------------------------------------------------------------------------------------------- */

HELPER_FN(ringbuf_output)
{
	void *record;

	if (r4 & ~(uint64_t)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP))
		return ERRNO(EINVAL);
	record = ringbuf_reserve(table_of(r1)->ringbuf, r3);
	if (!record)
		return ERRNO(EAGAIN);
	memcpy(record, ptr(r2), r3);
	ringbuf_commit(record, RINGBUF_SUBMIT, r4);
	return 0;
}

/* A program that may be stopped leaves a note of what it holds: `old` becomes `new`, where NULL is a free place. */
static void
note_held(struct vm_run *run, void *old, void *new)
{
	for (int i = 0; run->has_budget && i < VM_REFS_MAX; i++) {
		if (run->held[i] == old) {
			run->held[i] = new;
			return;
		}
	}
}

HELPER_FN(ringbuf_reserve)
{
	void *record = r3 ? NULL : ringbuf_reserve(table_of(r1)->ringbuf, r2);

	if (record)
		note_held(run, NULL, record);
	return (uintptr_t)record;
}

HELPER_FN(ringbuf_submit)
{
	note_held(run, ptr(r1), NULL);
	ringbuf_commit(ptr(r1), RINGBUF_SUBMIT, r2);
	return 0;
}

HELPER_FN(ringbuf_discard)
{
	note_held(run, ptr(r1), NULL);
	ringbuf_commit(ptr(r1), RINGBUF_DISCARD, r2);
	return 0;
}

HELPER_FN(ringbuf_query)
{
	return ringbuf_query(table_of(r1)->ringbuf, r2);
}

/* In the kernel each CPU has a buffer of its own, which user space opens; here all write into one, which is there from the start. */
HELPER_FN(perf_event_output)
{
	uint64_t index = r3 & BPF_F_INDEX_MASK;
	void *record;

	if (r3 & ~BPF_F_INDEX_MASK)
		return ERRNO(EINVAL);
	if (index != BPF_F_CURRENT_CPU && index >= table_of(r2)->table->max_entries)
		return ERRNO(E2BIG);
	record = ringbuf_reserve(table_of(r2)->ringbuf, r5);
	if (!record)
		return ERRNO(ENOSPC);
	memcpy(record, ptr(r4), r5);
	ringbuf_commit(record, RINGBUF_SUBMIT, 0);
	return 0;
}

/* ---- trace_printk ----------------------------------------------------------------------------------------------- */

/* Hands a line to who wants it; else to stderr, with the command before it as in the kernel's trace_pipe. */
static void
print_line(const struct vm_env *env, struct text *line)
{
	if (!line->len || line->s[line->len - 1] != '\n')
		text_putc(line, '\n');
	if (env->print)
		env->print(env->print_arg, env, line->s, line->len);
	else
		fprintf(stderr, "%.16s-%" PRIu32 ": %.*s", env->comm, env->tid, (int)line->len, line->s);
}

static uint64_t
print_values(struct vm_run *run, uint64_t format, uint64_t size, const uint64_t *values, uint32_t n)
{
	struct text out = { 0 };
	uint64_t result = ERRNO(EINVAL);

	if (memchr(ptr(format), '\0', size) && !format_text(run, &out, ptr(format), values, n)) {
		result = out.len;
		if (out.s)
			text_cut(&out, strlen(out.s)); /* a %c may be the NUL, which ends the line in the kernel, too */
		print_line(run->env, &out);
	}
	text_fini(&out);
	return result;
}

HELPER_FN(trace_printk)
{
	return print_values(run, r1, r2, (const uint64_t[]){ r3, r4, r5 }, 3);
}

HELPER_FN(trace_vprintk)
{
	uint64_t values[FORMAT_VALUES_MAX];

	if (r4 % 8 || r4 > FORMAT_VALUES_MAX * 8)
		return ERRNO(EINVAL);
	if (r4)
		memcpy(values, ptr(r3), r4); /* they may stand anywhere */
	return print_values(run, r1, r2, values, (uint32_t)r4 / 8);
}

/* ---- functions of the program, called back ------------------------------------------------------------------------- */

HELPER_FN(loop)
{
	uint64_t frame = run->frame;
	uint32_t n = (uint32_t)r1, i = 0;

	if (r4)
		return ERRNO(EINVAL);
	if (n > VM_LOOPS_MAX)
		return ERRNO(E2BIG);
	while (i < n)
		if (run->call_back(run, r2, frame, (const uint64_t[VM_CALLBACK_ARGS]){ i++, r3 }))
			break;
	return i;
}

/* A walk that calls a program back: what the helper was called with. */
struct walker {
	struct vm_run *run;
	uint64_t table, fn, arg, frame;
	size_t cpu_off; /* of the value that it sees */
};

static bool
call_walker(void *arg, const void *key, char *value)
{
	const struct walker *walker = arg;
	const uint64_t args[VM_CALLBACK_ARGS] = { walker->table, (uintptr_t)key, (uintptr_t)(value + walker->cpu_off), walker->arg };

	return walker->run->call_back(walker->run, walker->fn, walker->frame, args);
}

HELPER_FN(for_each_map_elem)
{
	struct vm_table *t = table_of(r1);
	struct walker walker = {
		.run = run, .table = r1, .fn = r2, .arg = r3, .frame = run->frame, .cpu_off = (t->n_cpus > 1 ? run_cpu(run) : 0) * (size_t)t->stride,
	};

	return r4 ? ERRNO(EINVAL) : table_each(t, call_walker, &walker);
}

/* Comes back only where the program goes on: the interpreter has an instruction of its own for what happens else (interp.c). */
HELPER_FN(tail_call)
{
	return 0;
}

/* ---- the table of them ------------------------------------------------------------------------------------------- */

static const struct helper helpers[] = {
#define HELPER(name_, number_, ret_, tables_, writes_, ...) \
	{ .name = #name_, .number = number_, .fn = helper_##name_, .ret = HRET_##ret_, .tables = HTAB_##tables_, \
	  .writes_table = writes_, .args = { __VA_ARGS__ } },
#include "vm/helpers.def"
};

const struct helper *
helper_find(int32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (helpers[i].number == number)
			return &helpers[i];
	return helper_host_find(number);
}

bool
vm_has_helper(int32_t number)
{
	return helper_find(number) != NULL;
}

/* For calls that no path leads to, of helpers that we do not have: objects for several kernels have such. */
static uint64_t
helper_absent(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	assert(!"no path leads here");
	return 0;
}

helper_fn *
helper_code(int32_t number)
{
	const struct helper *helper = helper_find(number);

	return helper ? helper->fn : helper_absent;
}

uint32_t
helper_callback(const struct helper *helper)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(helper->args); i++)
		if (helper->args[i] == HARG_LOOP_FN || helper->args[i] == HARG_ELEM_FN)
			return i + 1;
	return 0;
}

uint64_t
helper_by_number(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	return helper_code((int32_t)run->called)(run, r1, r2, r3, r4, r5);
}

bool
insn_is_tail_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && insn->imm == BPF_FUNC_tail_call;
}

bool
insn_calls_back(const struct bpf_insn *insn)
{
	const struct helper *helper = insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg ? helper_find(insn->imm) : NULL;

	return helper && helper_callback(helper);
}
