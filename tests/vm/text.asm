; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: bpf-helpers(7), bpf_snprintf: the result is the length with its NUL, of all of the text; what fits is written. The kernel writes the same
     bytes (scratch is compared)

== %d %u %x of -1, 5, 255 is "-1 5 ff"
accept
result: 8
*(u64 *)(r10 - 24) = -1
*(u64 *)(r10 - 16) = 5
*(u64 *)(r10 - 8) = 255
r1 = r4
r2 = 64
r3 = table_value 14 + 0 ll
r4 = r10
r4 += -24
r5 = 24
call 165
exit

== %u of -1 has 32 bits: "1 4294967295 0"
accept
result: 15
*(u64 *)(r10 - 24) = 1
*(u64 *)(r10 - 16) = -1
*(u64 *)(r10 - 8) = 0
r1 = r4
r2 = 64
r3 = table_value 14 + 0 ll
r4 = r10
r4 += -24
r5 = 24
call 165
exit

== %ld %llu %lX of -1, -1, -1
accept
result: 41
*(u64 *)(r10 - 24) = -1
*(u64 *)(r10 - 16) = -1
*(u64 *)(r10 - 8) = -1
r1 = r4
r2 = 64
r3 = table_value 14 + 16 ll
r4 = r10
r4 += -24
r5 = 24
call 165
exit

== widths: "[   42] [42   ] [+0042]"
accept
result: 24
*(u64 *)(r10 - 24) = 42
*(u64 *)(r10 - 16) = 42
*(u64 *)(r10 - 8) = 42
r1 = r4
r2 = 64
r3 = table_value 14 + 32 ll
r4 = r10
r4 += -24
r5 = 24
call 165
exit

== widths of a negative number: "[   -7] [-7   ] [-0007]"
accept
result: 24
*(u64 *)(r10 - 24) = -7
*(u64 *)(r10 - 16) = -7
*(u64 *)(r10 - 8) = -7
r1 = r4
r2 = 64
r3 = table_value 14 + 32 ll
r4 = r10
r4 += -24
r5 = 24
call 165
exit

== a character and a percent sign: "A% 100"
accept
result: 7
*(u64 *)(r10 - 8) = 65
r1 = r4
r2 = 64
r3 = table_value 14 + 64 ll
r4 = r10
r4 += -8
r5 = 8
call 165
exit

== addresses of IPv4: "127.0.0.1 127.000.000.001" of the bytes 7f 00 00 01
accept
result: 26
*(u64 *)(r10 - 24) = 16777343
r1 = r10
r1 += -24
*(u64 *)(r10 - 16) = r1
*(u64 *)(r10 - 8) = r1
r1 = r4
r2 = 64
r3 = table_value 14 + 128 ll
r4 = r10
r4 += -16
r5 = 16
call 165
exit

== an address of IPv6: "2001:0db8:0000:0000:0000:0000:0000:0001" of the bytes 20 01 0d b8 0 ... 01
accept
result: 40
r1 = 0xb80d0120 ll
*(u64 *)(r10 - 24) = r1
r1 = 0x0100000000000000 ll
*(u64 *)(r10 - 16) = r1
r1 = r10
r1 += -24
*(u64 *)(r10 - 8) = r1
r1 = r4
r2 = 64
r3 = table_value 14 + 144 ll
r4 = r10
r4 += -8
r5 = 8
call 165
exit

== addresses that are no memory: "0.0.0.0 000.000.000.000"
accept
result: 24
*(u64 *)(r10 - 16) = 0
*(u64 *)(r10 - 8) = 0
r1 = r4
r2 = 64
r3 = table_value 14 + 128 ll
r4 = r10
r4 += -16
r5 = 16
call 165
exit

== a string on the stack: "abc=-7"
accept
result: 7
*(u64 *)(r10 - 24) = 0x636261
r1 = r10
r1 += -24
*(u64 *)(r10 - 16) = r1
*(u64 *)(r10 - 8) = -7
r1 = r4
r2 = 64
r3 = table_value 14 + 160 ll
r4 = r10
r4 += -16
r5 = 16
call 165
exit

== a pointer, and one to no function: "0000000000001234 0x5"
accept
result: 21
*(u64 *)(r10 - 16) = 0x1234
*(u64 *)(r10 - 8) = 5
r1 = r4
r2 = 64
r3 = table_value 14 + 176 ll
r4 = r10
r4 += -16
r5 = 16
call 165
exit

== a dynptr is no value
refuse: part of an address
r1 = table_value 2 + 0 ll
r2 = 64
r3 = 0
r4 = r10
r4 += -16
call 197
r1 = table_value 2 + 0 ll
r2 = 64
r3 = table_value 14 + 128 ll
r4 = r10
r4 += -16
r5 = 16
call 165
exit

== no conversion: "plain"
accept
result: 6
*(u64 *)(r10 - 8) = 5
r1 = r4
r2 = 64
r3 = table_value 14 + 112 ll
r4 = r10
r4 += -8
r5 = 8
call 165
exit

== cut to 4 bytes, the result is the whole length
accept
result: 6
*(u64 *)(r10 - 8) = 5
r1 = r4
r2 = 4
r3 = table_value 14 + 112 ll
r4 = r10
r4 += -8
r5 = 8
call 165
exit

== nowhere to write
accept
result: 6
r1 = 0
r2 = 0
r3 = table_value 14 + 112 ll
r4 = 0
r5 = 0
call 165
exit

== more conversions than values
refuse: more than there are values
*(u64 *)(r10 - 16) = 1
*(u64 *)(r10 - 8) = 2
r1 = r4
r2 = 64
r3 = table_value 14 + 0 ll
r4 = r10
r4 += -16
r5 = 16
call 165
exit

== a conversion of floating numbers
refuse: conversion that helpers do not have
*(u64 *)(r10 - 8) = 1
r1 = r4
r2 = 64
r3 = table_value 14 + 80 ll
r4 = r10
r4 += -8
r5 = 8
call 165
exit

== a percent sign at the end
refuse: conversion that helpers do not have
*(u64 *)(r10 - 8) = 1
r1 = r4
r2 = 64
r3 = table_value 14 + 96 ll
r4 = r10
r4 += -8
r5 = 8
call 165
exit

== values that were not written
refuse: not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r1 = r4
r2 = 64
r3 = table_value 14 + 0 ll
r4 = r10
r4 += -24
r5 = 24
call 165
exit

== a length of values that is not a multiple of 8
refuse: must be a constant, 8 bytes
*(u64 *)(r10 - 8) = 1
r1 = r4
r2 = 64
r3 = table_value 14 + 112 ll
r4 = r10
r4 += -8
r5 = 7
call 165
exit

== more memory than there is
refuse: behind its end
*(u64 *)(r10 - 8) = 1
r1 = r4
r2 = 257
r3 = table_value 14 + 112 ll
r4 = r10
r4 += -8
r5 = 8
call 165
exit

== null with a size
refuse: not the address of memory
r1 = 0
r2 = 8
r3 = table_value 14 + 112 ll
r4 = 0
r5 = 0
call 165
exit

== a format on the stack
refuse: read-only array table
*(u64 *)(r10 - 8) = 0
r1 = r4
r2 = 8
r3 = r10
r3 += -8
r4 = 0
r5 = 0
call 165
exit

why: bpf-helpers(7), bpf_strtol and bpf_strtoul: white space, a sign, a prefix for base 0 and 16, digits; the result is how many bytes that took

== "-123" takes 4 bytes
accept
result: 4
*(u32 *)(r10 - 16) = 858927405
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 4
r3 = 10
r4 = r10
r4 += -24
call 105
exit

== "-123" is -123
accept
result: 18446744073709551493
*(u32 *)(r10 - 16) = 858927405
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 4
r3 = 10
r4 = r10
r4 += -24
call 105
r0 = *(u64 *)(r10 - 24)
exit

== "  42x" takes 4 bytes
accept
result: 4
*(u32 *)(r10 - 16) = 842276896
*(u32 *)(r10 - 12) = 120
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 5
r3 = 10
r4 = r10
r4 += -24
call 105
exit

== "  42x" is 42
accept
result: 42
*(u32 *)(r10 - 16) = 842276896
*(u32 *)(r10 - 12) = 120
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 5
r3 = 10
r4 = r10
r4 += -24
call 105
r0 = *(u64 *)(r10 - 24)
exit

== "0x1F" in base 0 is 31
accept
result: 31
*(u32 *)(r10 - 16) = 1177647152
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 4
r3 = 0
r4 = r10
r4 += -24
call 105
r0 = *(u64 *)(r10 - 24)
exit

== "0x1F" in base 16 is 31
accept
result: 31
*(u32 *)(r10 - 16) = 1177647152
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 4
r3 = 16
r4 = r10
r4 += -24
call 105
r0 = *(u64 *)(r10 - 24)
exit

== "1f" in base 16 is 31
accept
result: 31
*(u32 *)(r10 - 16) = 26161
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 2
r3 = 16
r4 = r10
r4 += -24
call 106
r0 = *(u64 *)(r10 - 24)
exit

== "017" in base 0 is 15
accept
result: 15
*(u32 *)(r10 - 16) = 3617072
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 3
r3 = 0
r4 = r10
r4 += -24
call 106
r0 = *(u64 *)(r10 - 24)
exit

== "017" in base 10 is 17
accept
result: 17
*(u32 *)(r10 - 16) = 3617072
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 3
r3 = 10
r4 = r10
r4 += -24
call 106
r0 = *(u64 *)(r10 - 24)
exit

== "x" is no number
accept
result: 18446744073709551594
*(u32 *)(r10 - 16) = 120
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 1
r3 = 10
r4 = r10
r4 += -24
call 105
exit

== base 7 is none
accept
result: 18446744073709551594
*(u32 *)(r10 - 16) = 12849
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 2
r3 = 7
r4 = r10
r4 += -24
call 105
exit

== "-1" is no unsigned number
accept
result: 18446744073709551594
*(u32 *)(r10 - 16) = 12589
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 2
r3 = 10
r4 = r10
r4 += -24
call 106
exit

== "18446744073709" is
accept
result: 18446744073709
*(u32 *)(r10 - 16) = 875837489
*(u32 *)(r10 - 12) = 875837238
*(u32 *)(r10 - 8) = 926103344
*(u32 *)(r10 - 4) = 14640
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 14
r3 = 10
r4 = r10
r4 += -24
call 106
r0 = *(u64 *)(r10 - 24)
exit

== "9" in base 8 is no number
accept
result: 18446744073709551594
*(u32 *)(r10 - 16) = 57
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 1
r3 = 8
r4 = r10
r4 += -24
call 106
exit

== a result at an odd address
refuse: not a multiple of 8
*(u32 *)(r10 - 16) = 49
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 1
r3 = 10
r4 = r10
r4 += -23
call 105
exit

why: bpf-helpers(7): helpers without a trace of what they read

== cookie of an attachment
accept
result: 0
r1 = r2
call 174
exit

== node of memory, on a machine that has one
accept
result: 0
call 42
exit

== "0xg" in base 16 is no number
accept
result: 18446744073709551594
*(u32 *)(r10 - 16) = 6780976
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 3
r3 = 16
r4 = r10
r4 += -24
call 105
exit

== "0xg" in base 0 is 0, of one byte
accept
result: 1
*(u32 *)(r10 - 16) = 6780976
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 3
r3 = 0
r4 = r10
r4 += -24
call 105
exit

== "-0x" in base 16 is no number
accept
result: 18446744073709551594
*(u32 *)(r10 - 16) = 7876653
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 3
r3 = 16
r4 = r10
r4 += -24
call 105
exit

== "0x1" of which only "0x" is meant, in base 16
accept
result: 18446744073709551594
*(u32 *)(r10 - 16) = 3242032
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 2
r3 = 16
r4 = r10
r4 += -24
call 106
exit

== a space that does not break takes a byte
accept
result: 2
*(u32 *)(r10 - 16) = 12704
*(u32 *)(r10 - 12) = 0
*(u32 *)(r10 - 8) = 0
*(u32 *)(r10 - 4) = 0
*(u64 *)(r10 - 24) = 99
r1 = r10
r1 += -16
r2 = 2
r3 = 10
r4 = r10
r4 += -24
call 106
exit

== the character 0 is one, too: 7 bytes
accept
result: 7
*(u64 *)(r10 - 8) = 0
*(u64 *)(r10 - 16) = 0
*(u64 *)(r10 - 24) = 0
r1 = r10
r1 += -24
r2 = 16
r3 = table_value 14 + 64 ll
r4 = r10
r4 += -8
r5 = 8
call 165
exit

== the character 0 is written
accept
result: 52983540753664
*(u64 *)(r10 - 8) = 0
*(u64 *)(r10 - 16) = 0
*(u64 *)(r10 - 24) = 0
r1 = r10
r1 += -24
r2 = 16
r3 = table_value 14 + 64 ll
r4 = r10
r4 += -8
r5 = 8
call 165
r0 = *(u64 *)(r10 - 24)
exit

== values at an odd address: "-7 5 ff"
accept
result: 8
r6 = r4
*(u64 *)(r6 + 65) = -7
*(u64 *)(r6 + 73) = 5
*(u64 *)(r6 + 81) = 255
*(u64 *)(r10 - 16) = 0
*(u64 *)(r10 - 8) = 0
r1 = r10
r1 += -16
r2 = 16
r3 = table_value 14 + 0 ll
r4 = r6
r4 += 65
r5 = 24
call 165
exit
