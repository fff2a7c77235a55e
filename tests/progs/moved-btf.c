/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * moved-btf OUT STRUCT MEMBER BITS ...: writes the running kernel's types to the file OUT, with each MEMBER so many bits further on in its STRUCT
 * than it is: the types of a kernel that there is not.
 */
#include <bpf/btf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
move(struct btf *btf, const char *structure, const char *name, unsigned bits)
{
	int id = btf__find_by_name_kind(btf, structure, BTF_KIND_STRUCT);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (unsigned)id) : NULL;
	struct btf_member *member = type ? btf_members(type) : NULL;

	for (unsigned i = 0; type && i < btf_vlen(type); i++)
		if (strcmp(btf__name_by_offset(btf, member[i].name_off), name) == 0) {
			member[i].offset += bits; /* of a bit field the low 24 bits of this, and there is room in them */
			return 0;
		}
	fprintf(stderr, "the kernel has no struct %s with a %s\n", structure, name);
	return 1;
}

int
main(int argc, char **argv)
{
	struct btf *btf = argc > 1 ? btf__parse_raw("/sys/kernel/btf/vmlinux") : NULL;
	FILE *out = btf ? fopen(argv[1], "w") : NULL;
	const void *bytes;
	unsigned len;

	for (int i = 2; i + 2 < argc && out; i += 3)
		if (move(btf, argv[i], argv[i + 1], (unsigned)atoi(argv[i + 2])))
			return 1;
	bytes = out ? btf__raw_data(btf, &len) : NULL;
	return !bytes || fwrite(bytes, 1, len, out) != len || fclose(out);
}
