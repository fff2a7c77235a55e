/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Any bytes as a program whose functions are asked for by place, and as the map of code made at run time: no memory is read outside
 * of them, and what is found holds the place that was asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz_replay.h"
#include "output/output_int.h"

static void
check(const struct image_symbol *symbol)
{
	if (symbol->size && symbol->offset >= symbol->size)
		abort();
	if (strlen(symbol->name) > SIZE_MAX / 2)
		abort();
}

static void
ask_image(const uint8_t *data, size_t size)
{
	struct image *image = image_read_memory(data, size);
	struct image_symbol symbol;
	uint32_t len;

	if (!image)
		return;
	for (uint64_t place = 0; place < size + 64; place += 1 + size / 256) {
		image_address(image, place);
		if (image_find(image, place, &symbol))
			check(&symbol);
	}
	if (image_build_id(image, &len) && len > 20)
		abort();
	image_free(image);
}

static void
ask_map(const uint8_t *data, size_t size)
{
	struct made_code *code = made_code_new(UINT32_MAX); /* no process: no file of it is read */
	char *text = malloc(size + 1);
	struct image_symbol symbol;

	memcpy(text, data, size);
	text[size] = 0;
	made_code_parse(code, text);
	for (uint64_t addr = 0; addr < 8192; addr += 509)
		if (made_code_find(code, addr, &symbol))
			check(&symbol);
	made_code_free(code);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ask_image(data, size);
	ask_map(data, size);
	return 0;
}
