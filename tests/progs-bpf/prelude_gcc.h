/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * For gcc what bpf_helpers.h is for clang: gcc 12 does not fold pointers to helpers into calls, it has an attribute for them.
 */
#ifndef PRELUDE_GCC_H
#define PRELUDE_GCC_H

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, type)  typeof(type) *name
#define __array(name, value) typeof(value) *name[]
#undef __always_inline
#define __always_inline     inline __attribute__((always_inline))
#define __noinline          __attribute__((noinline))

#define HELPER(type, name, number, ...) type bpf_##name(__VA_ARGS__) __attribute__((kernel_helper(number)))

HELPER(void *, map_lookup_elem, 1, void *table, const void *key);
HELPER(long, map_update_elem, 2, void *table, const void *key, const void *value, __u64 flags);
HELPER(long, map_delete_elem, 3, void *table, const void *key);
HELPER(long, probe_read, 4, void *to, __u32 size, const void *from);
HELPER(__u64, ktime_get_ns, 5, void);
HELPER(long, trace_printk, 6, const char *format, __u32 size, ...);
HELPER(__u32, get_prandom_u32, 7, void);
HELPER(__u32, get_smp_processor_id, 8, void);
HELPER(long, tail_call, 12, void *context, void *table, __u32 place);
HELPER(__u64, get_current_pid_tgid, 14, void);
HELPER(__u64, get_current_uid_gid, 15, void);
HELPER(long, get_current_comm, 16, void *to, __u32 size);
HELPER(long, get_stackid, 27, void *context, void *table, __u64 flags);
HELPER(long, get_stack, 67, void *context, void *to, __u32 size, __u64 flags);
HELPER(void, spin_lock, 93, struct bpf_spin_lock *lock);
HELPER(void, spin_unlock, 94, struct bpf_spin_lock *lock);
HELPER(long, probe_read_user, 112, void *to, __u32 size, const void *from);
HELPER(long, probe_read_kernel, 113, void *to, __u32 size, const void *from);
HELPER(long, probe_read_user_str, 114, void *to, __u32 size, const void *from);
HELPER(long, probe_read_kernel_str, 115, void *to, __u32 size, const void *from);
HELPER(long, ringbuf_output, 130, void *table, void *data, __u64 size, __u64 flags);
HELPER(void *, ringbuf_reserve, 131, void *table, __u64 size, __u64 flags);
HELPER(void, ringbuf_submit, 132, void *record, __u64 flags);
HELPER(void, ringbuf_discard, 133, void *record, __u64 flags);

#define bpf_printk(text, ...)                                             \
	({                                                                \
		static const char format[] = text;                        \
		bpf_trace_printk(format, sizeof(format), ##__VA_ARGS__);  \
	})

#endif
