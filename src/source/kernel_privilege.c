/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Giving up privilege: once all is attached, ktap needs none of what loaded and attached it. What it goes on to do with its descriptors
 * is permitted to whoever holds them.
 *
 * Kept, where they are there, are the capabilities with which it finds names and ends the command: those to read what other users'
 * processes have mapped (stacks), the kernel's symbols, files of tracefs, and to send a signal to a command that has become another user.
 *
 * Kernels before 5.19 ask for CAP_BPF (or CAP_SYS_ADMIN) at every call of bpf(2) where kernel.unprivileged_bpf_disabled is set. That is
 * tried, with the capabilities set aside for a moment; then these are kept, too.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "source/kernel_int.h"

static const uint8_t kept[] = { CAP_KILL, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYSLOG };

/* Where there is no newer one, it is what bpf(2) asks for. */
static const uint8_t kept_for_bpf[] = { CAP_BPF, CAP_SYS_ADMIN };

struct capabilities {
	uint64_t effective, permitted, inheritable;
};

/* capget(2), capset(2): each set is two words of 32 bits. */
static int
get_capabilities(struct capabilities *caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	caps->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	caps->permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	caps->inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
	return 0;
}

static int
set_capabilities(const struct capabilities *caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)caps->effective, (uint32_t)caps->permitted, (uint32_t)caps->inheritable },
		{ (uint32_t)(caps->effective >> 32), (uint32_t)(caps->permitted >> 32), (uint32_t)(caps->inheritable >> 32) },
	};

	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static uint64_t
mask_of(const uint8_t *list, size_t n)
{
	uint64_t mask = 0;

	while (n--)
		mask |= 1ull << list[n];
	return mask;
}

/* May tables be read by whoever has their descriptors? Needs no table: a wrong descriptor is refused after the privilege. */
static bool
bpf_asks_for_none(const struct capabilities *caps, uint64_t keep)
{
	struct capabilities without = *caps;
	uint32_t key = 0;
	uint64_t value;
	int err;

	without.effective &= keep;
	if (set_capabilities(&without) < 0)
		return false;
	err = bpf_map_lookup_elem(-1, &key, &value);
	set_capabilities(caps);
	return err != -EPERM;
}

void
kernel_drop_privilege(void)
{
	uint64_t keep = mask_of(kept, ARRAY_SIZE(kept));
	struct capabilities caps = { 0 };
	int err = get_capabilities(&caps);

	if (err == 0) {
		if (!bpf_asks_for_none(&caps, keep))
			keep |= mask_of(kept_for_bpf, ARRAY_SIZE(kept_for_bpf));
		caps.effective &= keep;
		caps.permitted &= keep;
		caps.inheritable &= keep;
		err = set_capabilities(&caps);
	}
	/* Less is not always permitted (seccomp); it goes on with what it has. */
	if (debug_on(DEBUG_KERNEL))
		fprintf(stderr, "kernel: capabilities 0x%llx kept: %d\n", (unsigned long long)caps.permitted, err);
}
