/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * output_int: for the files of output/ only.
 */
#ifndef KTAP_OUTPUT_INT_H
#define KTAP_OUTPUT_INT_H

#include "output/output.h"

/* ---- made_code.c: code that a process made at run time --------------------------------------------------- */

struct made_code;

/* Reads nothing yet. NULL: no memory. */
struct made_code *
made_code_new(uint32_t pid);

void
made_code_free(struct made_code *code);

/* Takes the text of a map in place of what was there; it is malloc'ed and NUL-terminated, and becomes the code's. */
void
made_code_parse(struct made_code *code, char *text);

/* The function at an address, where the map names one. What is found lives until the next question. */
bool
made_code_find(struct made_code *code, uint64_t addr, struct image_symbol *symbol);

/* ---- demangle.c ------------------------------------------------------------------------------------------ */

/* Appends the readable form of a function's name. False: it has no other than this, or there is no demangler in this build. */
bool
demangle(const char *name, struct text *out);

#endif
