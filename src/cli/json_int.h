/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the files of cli that write JSON share.
 */
#ifndef KTAP_JSON_INT_H
#define KTAP_JSON_INT_H

#include <jansson.h>

/* New JSON text of bytes that may be anything; those that are no UTF-8 become '?'. json.c. */
json_t *
json_text(const char *s);

#endif
