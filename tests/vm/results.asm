; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: the results are worked out by hand, from RFC 9669

== sum of 1 to 100 is 5050
accept
r3: 0
result: 5050
r0 = 0
r1 = 1
again: r0 += r1
r1 += 1
if r1 <= 100 goto again
exit

== factorial of 10 is 3628800
accept
r3: 0
result: 3628800
r0 = 1
r1 = 1
again: r0 *= r1
r1 += 1
if r1 < 11 goto again
exit

== the 30th Fibonacci number is 832040
accept
r3: 0
result: 832040
r1 = 0
r0 = 1
r2 = 1
again: r3 = r0
r0 += r1
r1 = r3
r2 += 1
if r2 < 30 goto again
exit

== bits of 0xf0f0 counted by shifting: 8
accept
r3: 61680
result: 8
r0 = 0
r1 = 0
again: r2 = r3
r2 &= 1
r0 += r2
r3 >>= 1
r1 += 1
if r1 < 64 goto again
exit

== greatest common divisor of 1071 and 462 is 21, by Euclid in at most 12 steps
accept
r3: 0
result: 21
r0 = 1071
r1 = 462
r5 = 0
again: if r1 == 0 goto out
r2 = r0
r2 %= r1
r0 = r1
r1 = r2
r5 += 1
if r5 < 12 goto again
out: exit

== the integer square root of 1000 is 31, by trying
accept
r3: 0
result: 31
r0 = 0
again: r0 += 1
r1 = r0
r1 *= r1
if r1 > 1000 goto out
if r0 < 50 goto again
out: r0 -= 1
exit

== bytes reversed twice is the number
accept
r3: 81985529216486895
result: 81985529216486895
r0 = r3
r0 = bswap64 r0
r0 = bswap64 r0
exit

== bytes reversed
accept
r3: 81985529216486895
result: 17279655951921914625
r0 = r3
r0 = bswap64 r0
exit

== a 32-bit sum wraps and clears the upper half
accept
r3: 0
result: 0
r0 = -1
w0 += 1
exit

== a 64-bit sum wraps
accept
r3: 0
result: 1
r0 = -1
r0 += 2
exit

== division by zero gives 0
accept
r3: 77
result: 0
r0 = r3
r1 = 0
r0 /= r1
exit

== modulo by zero leaves the number
accept
r3: 77
result: 77
r0 = r3
r1 = 0
r0 %= r1
exit

== 32-bit modulo by zero leaves the low half
accept
r3: 1234605616436508552
result: 1432778632
r0 = r3
r1 = 0
w0 %= w1
exit

== the smallest number divided by -1 is itself
accept
r3: 0
result: 9223372036854775808
r0 = 1
r0 <<= 63
r1 = -1
r0 s/= r1
exit

== the smallest number modulo -1 is 0
accept
r3: 0
result: 0
r0 = 1
r0 <<= 63
r1 = -1
r0 s%= r1
exit

== -7 divided by 2 is -3
accept
r3: 0
result: 18446744073709551613
r0 = -7
r0 s/= 2
exit

== -7 modulo 2 is -1
accept
r3: 0
result: 18446744073709551615
r0 = -7
r0 s%= 2
exit

== -7 divided by 2 as unsigned is 2 to the 63 less 4
accept
r3: 0
result: 9223372036854775804
r0 = -7
r0 /= 2
exit

== a shift by 64 is one by 0
accept
r3: 0
result: 5
r0 = 5
r1 = 64
r0 <<= r1
exit

== a 32-bit shift by 33 is one by 1
accept
r3: 0
result: 10
w0 = 5
r1 = 33
w0 <<= w1
exit

== a shift right keeps the sign
accept
r3: 0
result: 18446744073709551612
r0 = -16
r0 s>>= 2
exit

== a byte stored is a byte read
accept
r3: 0
result: 200
*(u8 *)(r10 - 1) = 200
r0 = *(u8 *)(r10 - 1)
exit

== a byte stored, read with its sign
accept
r3: 0
result: 18446744073709551560
*(u8 *)(r10 - 1) = 200
r0 = *(s8 *)(r10 - 1)
exit

== two bytes make a number, the low one first
accept
r3: 0
result: 4660
*(u8 *)(r10 - 8) = 0x34
*(u8 *)(r10 - 7) = 0x12
r0 = *(u16 *)(r10 - 8)
exit

== an atomic addition gives back what was there
accept
r3: 0
result: 40
*(u64 *)(r10 - 8) = 40
r0 = 2
r0 = atomic64_fetch_add((u64 *)(r10 - 8), r0)
exit

== an atomic addition adds
accept
r3: 0
result: 42
*(u64 *)(r10 - 8) = 40
r1 = 2
lock *(u64 *)(r10 - 8) += r1
r0 = *(u64 *)(r10 - 8)
exit

== compare and exchange that finds what it expects
accept
r3: 0
result: 9
*(u64 *)(r10 - 8) = 5
r0 = 5
r1 = 9
r0 = atomic64_cmpxchg((u64 *)(r10 - 8), r0, r1)
r0 = *(u64 *)(r10 - 8)
exit

== compare and exchange that does not
accept
r3: 0
result: 10
*(u64 *)(r10 - 8) = 5
r0 = 6
r1 = 9
r0 = atomic64_cmpxchg((u64 *)(r10 - 8), r0, r1)
r1 = *(u64 *)(r10 - 8)
r0 += r1
exit

== a 32-bit exchange clears the upper half
accept
r3: 0
result: 4294967295
*(u64 *)(r10 - 8) = -1
r0 = 7
r0 = atomic_xchg((u32 *)(r10 - 8), r0)
exit

== a function that doubles
accept
r3: 21
result: 42
r1 = r3
call function 1
exit
-- function 1
r0 = r1
r0 += r1
exit

== a function called in a loop
accept
r3: 0
result: 285
r6 = 0
r7 = 0
again: r1 = r6
call function 1
r7 += r0
r6 += 1
if r6 < 10 goto again
r0 = r7
exit
-- function 1
r0 = r1
r0 *= r1
exit

== what a function writes into the stack of its caller
accept
r3: 0
result: 6
*(u64 *)(r10 - 8) = 1
r1 = r10
r1 += -8
call function 1
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
*(u64 *)(r1 + 0) = 6
r0 = 0
exit

== an entry put into a table and read again
accept
r3: 0
result: 33
*(u64 *)(r10 - 8) = 5
*(u64 *)(r10 - 24) = 11
*(u64 *)(r10 - 16) = 22
r2 = r10
r2 += -8
r3 = r10
r3 += -24
r1 = table 0 ll
r4 = 0
call 2
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r1 = *(u64 *)(r0 + 0)
r2 = *(u64 *)(r0 + 8)
r0 = r1
r0 += r2
out: exit

== an entry deleted is not found
accept
r3: 0
result: 0
*(u64 *)(r10 - 8) = 5
*(u64 *)(r10 - 24) = 11
*(u64 *)(r10 - 16) = 22
r2 = r10
r2 += -8
r3 = r10
r3 += -24
r1 = table 0 ll
r4 = 0
call 2
r2 = r10
r2 += -8
r1 = table 0 ll
call 3
r2 = r10
r2 += -8
r1 = table 0 ll
call 1
if r0 == 0 goto out
r0 = 1
out: exit

== an update that must not find
accept
r3: 0
result: 18446744073709551614
*(u64 *)(r10 - 8) = 5
*(u64 *)(r10 - 24) = 11
*(u64 *)(r10 - 16) = 22
r2 = r10
r2 += -8
r3 = r10
r3 += -24
r1 = table 0 ll
r4 = 2
call 2
exit

== a loop of 1000 rounds that is called back
accept
r3: 0
result: 499500
*(u64 *)(r10 - 8) = 0
r1 = 1000
r2 = function 1 ll
r3 = r10
r3 += -8
r4 = 0
call 181
r0 = *(u64 *)(r10 - 8)
exit
-- function 1
r3 = *(u64 *)(r2 + 0)
r3 += r1
*(u64 *)(r2 + 0) = r3
r0 = 0
exit

== a string compared with a constant one: equal
accept
r3: 0
result: 0
*(u32 *)(r4 + 0) = 0x6c6c6568
*(u16 *)(r4 + 4) = 0x6f
r1 = r4
r2 = 16
r3 = table_value 7 + 0 ll
call 182
exit

== a memory copy of 16 bytes by hand
accept
r3: 0
result: 13107
*(u64 *)(r10 - 8) = 0x1111
*(u64 *)(r10 - 16) = 0x2222
r1 = *(u64 *)(r10 - 8)
*(u64 *)(r4 + 0) = r1
r1 = *(u64 *)(r10 - 16)
*(u64 *)(r4 + 8) = r1
r0 = *(u64 *)(r4 + 0)
r1 = *(u64 *)(r4 + 8)
r0 += r1
exit

== a checksum of 64 bytes of the record that are 0, 1, 2 ...
accept
r3: 0
result: 2016
r0 = 0
r2 = 0
again: r5 = r1
r5 += r2
r5 = *(u8 *)(r5 + 0)
r0 += r5
r2 += 1
if r2 < 64 goto again
exit

== jump tables by comparison: 7 is odd
accept
r3: 7
result: 1
r0 = 1
if r3 & 1 goto out
r0 = 0
out: exit

== the maximum of two signed numbers
accept
r3: 18446744073709551611
result: 10
r0 = r3
r1 = 10
if r0 s> r1 goto out
r0 = r1
out: exit

== the maximum of two unsigned numbers
accept
r3: 18446744073709551611
result: 18446744073709551611
r0 = r3
r1 = 10
if r0 > r1 goto out
r0 = r1
out: exit

== 32-bit comparison looks at the low half
accept
r3: 4294967301
result: 1
r0 = 1
if w3 == 5 goto out
r0 = 0
out: exit

== a long jump
accept
r3: 0
result: 3
r0 = 3
if r3 == 1 goto a
gotol out
a: r0 = 4
out: exit

== a constant of 64 bits
accept
r3: 0
result: 1311768467463790320
r0 = 0x123456789abcdef0 ll
exit

== a negative immediate is extended
accept
r3: 0
result: 18446744073709551615
r0 = 0
r0 |= -1
exit

== a 32-bit negative immediate is not
accept
r3: 0
result: 4294967295
r0 = 0
w0 |= -1
exit

== sign extension of 8, 16 and 32 bits, summed: -1 -1 -1
accept
r3: 0
result: 18446744073709551613
r1 = 255
r0 = (s8)r1
r1 = 65535
r1 = (s16)r1
r0 += r1
w1 = -1
r1 = (s32)r1
r0 += r1
exit
