; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: verifier.rst: an access of n bytes begins at offset 0 at least and ends at the size of the memory at most

== the record: the last 1 bytes
accept
r5 = *(u8 *)(r1 + 63)
out: r0 = 0
exit

== the record: 1 bytes that end one behind
refuse: behind its end
r5 = *(u8 *)(r1 + 64)
out: r0 = 0
exit

== the record: the last 2 bytes
accept
r5 = *(u16 *)(r1 + 62)
out: r0 = 0
exit

== the record: 2 bytes that end one behind
refuse: behind its end
r5 = *(u16 *)(r1 + 63)
out: r0 = 0
exit

== the record: the last 4 bytes
accept
r5 = *(u32 *)(r1 + 60)
out: r0 = 0
exit

== the record: 4 bytes that end one behind
refuse: behind its end
r5 = *(u32 *)(r1 + 61)
out: r0 = 0
exit

== the record: the last 8 bytes
accept
r5 = *(u64 *)(r1 + 56)
out: r0 = 0
exit

== the record: 8 bytes that end one behind
refuse: behind its end
r5 = *(u64 *)(r1 + 57)
out: r0 = 0
exit

== the record: a byte before
refuse: before its beginning
r5 = *(u8 *)(r1 - 1)
out: r0 = 0
exit

== the record: written
refuse: may only be read
*(u64 *)(r1 + 0) = 1
out: r0 = 0
exit

== scratch: the last 1 bytes
accept
r5 = *(u8 *)(r4 + 255)
out: r0 = 0
exit

== scratch: 1 bytes that end one behind
refuse: behind its end
r5 = *(u8 *)(r4 + 256)
out: r0 = 0
exit

== scratch: the last 2 bytes
accept
r5 = *(u16 *)(r4 + 254)
out: r0 = 0
exit

== scratch: 2 bytes that end one behind
refuse: behind its end
r5 = *(u16 *)(r4 + 255)
out: r0 = 0
exit

== scratch: the last 4 bytes
accept
r5 = *(u32 *)(r4 + 252)
out: r0 = 0
exit

== scratch: 4 bytes that end one behind
refuse: behind its end
r5 = *(u32 *)(r4 + 253)
out: r0 = 0
exit

== scratch: the last 8 bytes
accept
r5 = *(u64 *)(r4 + 248)
out: r0 = 0
exit

== scratch: 8 bytes that end one behind
refuse: behind its end
r5 = *(u64 *)(r4 + 249)
out: r0 = 0
exit

== scratch: a byte before
refuse: before its beginning
r5 = *(u8 *)(r4 - 1)
out: r0 = 0
exit

== scratch: the last 8 bytes written
accept
*(u64 *)(r4 + 248) = 1
out: r0 = 0
exit

== scratch: 8 bytes written behind
refuse: behind its end
*(u64 *)(r4 + 256) = 1
out: r0 = 0
exit

== a value: the last 1 bytes
accept
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
r5 = *(u8 *)(r6 + 15)
out: r0 = 0
exit

== a value: 1 bytes that end one behind
refuse: behind its end
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
r5 = *(u8 *)(r6 + 16)
out: r0 = 0
exit

== a value: the last 2 bytes
accept
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
r5 = *(u16 *)(r6 + 14)
out: r0 = 0
exit

== a value: 2 bytes that end one behind
refuse: behind its end
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
r5 = *(u16 *)(r6 + 15)
out: r0 = 0
exit

== a value: the last 4 bytes
accept
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
r5 = *(u32 *)(r6 + 12)
out: r0 = 0
exit

== a value: 4 bytes that end one behind
refuse: behind its end
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
r5 = *(u32 *)(r6 + 13)
out: r0 = 0
exit

== a value: the last 8 bytes
accept
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
r5 = *(u64 *)(r6 + 8)
out: r0 = 0
exit

== a value: 8 bytes that end one behind
refuse: behind its end
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
r5 = *(u64 *)(r6 + 9)
out: r0 = 0
exit

== a value: a byte before
refuse: before its beginning
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
r5 = *(u8 *)(r6 - 1)
out: r0 = 0
exit

== a value: the last 8 bytes written
accept
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
*(u64 *)(r6 + 8) = 1
out: r0 = 0
exit

== a value: 8 bytes written behind
refuse: behind its end
*(u64 *)(r10 - 8) = 7
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r6 = r0
*(u64 *)(r6 + 16) = 1
out: r0 = 0
exit

== the value of globals: the last 1 bytes
accept
r6 = table_value 2 + 0 ll
r5 = *(u8 *)(r6 + 63)
out: r0 = 0
exit

== the value of globals: 1 bytes that end one behind
refuse: behind its end
r6 = table_value 2 + 0 ll
r5 = *(u8 *)(r6 + 64)
out: r0 = 0
exit

== the value of globals: the last 2 bytes
accept
r6 = table_value 2 + 0 ll
r5 = *(u16 *)(r6 + 62)
out: r0 = 0
exit

== the value of globals: 2 bytes that end one behind
refuse: behind its end
r6 = table_value 2 + 0 ll
r5 = *(u16 *)(r6 + 63)
out: r0 = 0
exit

== the value of globals: the last 4 bytes
accept
r6 = table_value 2 + 0 ll
r5 = *(u32 *)(r6 + 60)
out: r0 = 0
exit

== the value of globals: 4 bytes that end one behind
refuse: behind its end
r6 = table_value 2 + 0 ll
r5 = *(u32 *)(r6 + 61)
out: r0 = 0
exit

== the value of globals: the last 8 bytes
accept
r6 = table_value 2 + 0 ll
r5 = *(u64 *)(r6 + 56)
out: r0 = 0
exit

== the value of globals: 8 bytes that end one behind
refuse: behind its end
r6 = table_value 2 + 0 ll
r5 = *(u64 *)(r6 + 57)
out: r0 = 0
exit

== the value of globals: a byte before
refuse: before its beginning
r6 = table_value 2 + 0 ll
r5 = *(u8 *)(r6 - 1)
out: r0 = 0
exit

== the value of globals: the last 8 bytes written
accept
r6 = table_value 2 + 0 ll
*(u64 *)(r6 + 56) = 1
out: r0 = 0
exit

== the value of globals: 8 bytes written behind
refuse: behind its end
r6 = table_value 2 + 0 ll
*(u64 *)(r6 + 64) = 1
out: r0 = 0
exit

== a record of the ring buffer: the last 1 bytes
accept
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r5 = *(u8 *)(r6 + 23)
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== a record of the ring buffer: 1 bytes that end one behind
refuse: behind its end
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r5 = *(u8 *)(r6 + 24)
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== a record of the ring buffer: the last 2 bytes
accept
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r5 = *(u16 *)(r6 + 22)
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== a record of the ring buffer: 2 bytes that end one behind
refuse: behind its end
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r5 = *(u16 *)(r6 + 23)
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== a record of the ring buffer: the last 4 bytes
accept
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r5 = *(u32 *)(r6 + 20)
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== a record of the ring buffer: 4 bytes that end one behind
refuse: behind its end
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r5 = *(u32 *)(r6 + 21)
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== a record of the ring buffer: the last 8 bytes
accept
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r5 = *(u64 *)(r6 + 16)
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== a record of the ring buffer: 8 bytes that end one behind
refuse: behind its end
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r5 = *(u64 *)(r6 + 17)
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== a record of the ring buffer: a byte before
refuse: before its beginning
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r5 = *(u8 *)(r6 - 1)
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== a record of the ring buffer: the last 8 bytes written
accept
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
*(u64 *)(r6 + 16) = 1
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit

== a record of the ring buffer: 8 bytes written behind
refuse: behind its end
r1 = table 3 ll
r2 = 24
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
*(u64 *)(r6 + 24) = 1
r1 = r6
r2 = 0
call 132
out: r0 = 0
exit
