/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * libbpf-loader FILE TABLE KEY COMMAND: what a C programmer does with an object of `ktap compile`, without any knowledge of ktap. Loads it,
 * attaches each program as its section says, runs COMMAND in a shell, and prints the count that TABLE (one value a CPU) has for text KEY.
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
	struct bpf_object *object = argc == 5 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct bpf_program *program;
	struct bpf_map *table;
	char key[256] = "";
	long long values[256] = { 0 }, sum = 0;
	int n_cpus = libbpf_num_possible_cpus();

	if (!object || n_cpus > 256 || bpf_object__load(object))
		return 1;
	bpf_object__for_each_program(program, object)
		if (!bpf_program__attach(program))
			return 2;
	if (system(argv[4]))
		return 3;
	table = bpf_object__find_map_by_name(object, argv[2]);
	if (!table || bpf_map__key_size(table) > sizeof(key))
		return 4;
	snprintf(key, sizeof(key), "%s", argv[3]);
	bpf_map__lookup_elem(table, key, bpf_map__key_size(table), values, (size_t)n_cpus * 8, 0);
	for (int cpu = 0; cpu < n_cpus; cpu++)
		sum += values[cpu];
	printf("%lld\n", sum);
	bpf_object__close(object);
	return 0;
}
