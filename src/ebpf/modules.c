/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Types of the kernel's modules: for each one that is loaded, and was built with BTF (Linux 5.11, CONFIG_DEBUG_INFO_BTF_MODULES), there is a file
 * beside that of the kernel's own types, which it continues.
 *
 *     /sys/kernel/btf/vmlinux   types 1 ... n
 *     /sys/kernel/btf/MODULE    types n + 1 ..., of each module: the numbers of two modules are the same
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/ebpf_int.h"

#define MODULES_MAX 4096

static int
is_module(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strcmp(entry->d_name, "vmlinux") != 0;
}

struct typeinfo *
module_types(const char *name, const struct typeinfo *kernel)
{
	char path[sizeof(CORE_FOLDER) + NAME_MAX + 1];
	struct text why = { 0 };
	struct typeinfo *types;

	snprintf(path, sizeof(path), CORE_FOLDER "%s", name);
	types = typeinfo_open(path, kernel, &why);
	text_fini(&why);
	return types;
}

void
modules_read(struct modules *modules, const struct typeinfo *kernel)
{
	struct dirent **names;
	int n = scandir(CORE_FOLDER, &names, is_module, alphasort);

	*modules = (struct modules){ 0 };
	if (n < 0)
		return;
	modules->all = mem_alloc((size_t)(n + 1) * sizeof(*modules->all));
	for (int i = 0; i < n; i++) {
		struct module *module = &modules->all[modules->n];

		if (modules->all && modules->n < MODULES_MAX) {
			module->types = module_types(names[i]->d_name, kernel);
			module->name = module->types ? strdup(names[i]->d_name) : NULL;
			modules->n += module->name != NULL;
			if (!module->name)
				typeinfo_free(module->types);
		}
		free(names[i]);
	}
	free(names);
}

void
modules_fini(struct modules *modules)
{
	for (uint32_t i = 0; i < modules->n; i++) {
		free(modules->all[i].name);
		typeinfo_free(modules->all[i].types);
	}
	free(modules->all);
	*modules = (struct modules){ 0 };
}
