; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: Documentation/bpf of the kernel, global functions: verified by themselves, for all arguments of their types, and their callers with any result

== a number for a number
accept
result: 6
r1 = 5
call function 1
r0 &= 7
exit
-- function 1: int (int)
r0 = r1
r0 += 1
exit

== its result is any number
refuse: not bounded
r6 = r4
r1 = 5
call function 1
r6 += r0
r0 = *(u8 *)(r6 + 0)
exit
-- function 1: int (int)
r0 = 5
exit

== its argument is any number
refuse: not bounded
r1 = 5
call function 1
exit
-- function 1: int (int)
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u8 *)(r2 + 0)
exit

== nobody calls it: nobody looks
accept
result: 3
r0 = 3
if r0 == 3 goto out
r1 = 5
call function 1
out: exit
-- function 1: int (int)
r0 = *(u8 *)(r1 + 0)
exit

== an address for a number
refuse: must be a number
r1 = r4
call function 1
exit
-- function 1: int (int)
r0 = 0
exit

== nothing for a number
refuse: reads r1
r1 = r3
call 7
call function 1
exit
-- function 1: int (int)
r0 = 0
exit

== memory compared with null
accept
result: 9
*(u64 *)(r10 - 8) = 5
r1 = r10
r1 += -8
call function 1
r0 = *(u64 *)(r10 - 8)
exit
-- function 1: int (mem 8)
r0 = 0
if r1 == 0 goto out
*(u64 *)(r1 + 0) = 9
out: exit

== memory not compared with null
refuse: may be null
*(u64 *)(r10 - 8) = 5
r1 = r10
r1 += -8
call function 1
r0 = 0
exit
-- function 1: int (mem 8)
*(u64 *)(r1 + 0) = 9
r0 = 0
exit

== null for memory
accept
result: 4
r1 = 0
call function 1
exit
-- function 1: int (mem 8)
r0 = 4
if r1 == 0 goto out
*(u64 *)(r1 + 0) = 9
out: exit

== memory that may be null
accept
result: 4
*(u32 *)(r10 - 4) = 9
r1 = table 1 ll
r2 = r10
r2 += -4
call 1
r1 = r0
call function 1
exit
-- function 1: int (mem 8)
r0 = 4
if r1 == 0 goto out
*(u64 *)(r1 + 0) = 9
out: exit

== a number that is not null for memory
refuse: not the address of memory
r1 = 8
call function 1
exit
-- function 1: int (mem 8)
r0 = 4
exit

== memory that is never null
accept
result: 7
r1 = r4
call function 1
exit
-- function 1: int (nonnull 8)
r0 = *(u8 *)(r1 + 1)
exit

== null for memory that is never null
refuse: not the address of memory
stricter: 6.18 takes the constant 0 for memory that is never null
r1 = 0
call function 1
exit
-- function 1: int (nonnull 8)
r0 = *(u8 *)(r1 + 1)
exit

== perhaps null for memory that is never null
refuse: may not be null
*(u32 *)(r10 - 4) = 9
r1 = table 1 ll
r2 = r10
r2 += -4
call 1
r1 = r0
call function 1
exit
-- function 1: int (nonnull 8)
r0 = 0
exit

== memory that is too short
refuse: behind its end
r1 = table_value 2 + 60 ll
call function 1
exit
-- function 1: int (mem 8)
r0 = 0
exit

== stack that is too short
refuse: touches stack
*(u64 *)(r10 - 8) = 5
r1 = r10
r1 += -4
call function 1
exit
-- function 1: int (mem 8)
r0 = 0
exit

== behind the end of what it got
refuse: behind its end
r1 = r4
call function 1
exit
-- function 1: int (nonnull 8)
r0 = *(u8 *)(r1 + 8)
exit

== memory that may only be read
refuse: only be read|may only read
r1 = table_value 7 + 0 ll
call function 1
exit
-- function 1: int (nonnull 8)
r0 = *(u8 *)(r1 + 0)
exit

== memory that may only be read, for a const
refuse: may only read
r1 = table_value 7 + 0 ll
call function 1
exit
-- function 1: int (const 8)
r0 = 0
exit

== what was in memory that it got is not known any more
refuse: not bounded
r6 = r4
*(u64 *)(r10 - 8) = 5
r1 = r10
r1 += -8
call function 1
r1 = *(u64 *)(r10 - 8)
r6 += r1
r0 = *(u8 *)(r6 + 0)
exit
-- function 1: int (mem 8)
r0 = 0
exit

== what was beside it is known
accept
result: 42
r6 = r4
*(u64 *)(r10 - 8) = 5
*(u64 *)(r10 - 16) = 6
r1 = r10
r1 += -8
call function 1
r1 = *(u64 *)(r10 - 16)
r6 += r1
r0 = *(u8 *)(r6 + 0)
exit
-- function 1: int (mem 8)
r0 = 0
exit

== stack that was not written
refuse: was not written
stricter: the kernel lets the privileged read stack that was not written; we never do
r1 = r10
r1 += -8
call function 1
r0 = 0
exit
-- function 1: int (mem 8)
r0 = 0
exit

== stack with an address in it
refuse: part of an address
stricter: the kernel lets the privileged see its addresses; ours never leave a program
*(u64 *)(r10 - 8) = r4
r1 = r10
r1 += -8
call function 1
r0 = 0
exit
-- function 1: int (mem 8)
r0 = 0
exit

== registers of the caller stay
accept
result: 35
r6 = 5
r7 = r4
r1 = 1
call function 1
r7 += r6
r0 = *(u8 *)(r7 + 0)
exit
-- function 1: int (int)
r6 = 100
r7 = 0
r0 = 0
exit

== its arguments are gone afterwards
refuse: reads r1
r1 = 1
call function 1
r0 = r1
exit
-- function 1: int (int)
r0 = 0
exit

== it returns nothing
refuse: reads r0
r1 = 1
call function 1
exit
-- function 1: int (int)
exit

== it returns an address
refuse: returns an address
stricter: the kernel lets the privileged see its addresses; ours never leave a program
r1 = r4
call function 1
r0 = 0
exit
-- function 1: int (nonnull 8)
r0 = r1
exit

== its type returns no number
refuse: returns no number
r1 = 1
call function 1
r0 = 0
exit
-- function 1: void (int)
r0 = 0
exit

== a record that it reserves
refuse: while a record is reserved
r1 = 1
call function 1
r0 = 0
exit
-- function 1: int (int)
r1 = table 3 ll
r2 = 8
r3 = 0
call 131
r0 = 0
exit

== a record that its caller has
accept
result: 0
r1 = table 3 ll
r2 = 8
r3 = 0
call 131
if r0 == 0 goto out
r6 = r0
r1 = 1
call function 1
r1 = r6
r2 = 0
call 133
out: r0 = 0
exit
-- function 1: int (int)
r0 = 0
exit

== a lock that its caller has
refuse: while a lock
r1 = table_value 17 + 0 ll
call 93
r1 = 1
call function 1
r1 = table_value 17 + 0 ll
call 94
r0 = 0
exit
-- function 1: int (int)
r0 = 0
exit

== the context
accept
result: 6
r1 = r2
call function 1
exit
-- function 1: int (ctx)
r0 = 6
exit

== not the context
refuse: must be the context
r1 = r4
call function 1
exit
-- function 1: int (ctx)
r0 = 6
exit

== a tail call in it
accept
result: 1042
r1 = r2
call function 1
r0 += 1000
exit
-- function 1: int (ctx)
r2 = table 22 ll
r3 = 0
call 12
r0 = 6
exit
-- program 0
r0 = 42
exit

== one calls another
accept
result: 4
r1 = 3
call function 1
exit
-- function 1: int (int)
r0 = 0
call function 2
r0 += 1
exit
-- function 2: int (int)
r0 = r1
exit

== one calls itself
refuse: calls itself
r1 = 3
call function 1
exit
-- function 1: int (int)
r1 = 0
call function 1
exit

== one calls a static one
accept
result: 0
r1 = 3
call function 1
exit
-- function 1: int (int)
r1 &= 7
call function 2
exit
-- function 2
r2 = table_value 2 + 0 ll
r2 += r1
r0 = *(u8 *)(r2 + 0)
exit

== called back
refuse: must be static
r1 = 3
r2 = function 1 ll
r3 = 0
r4 = 0
call 181
r0 = 0
exit
-- function 1: int (int, int)
r0 = 0
exit

== two arguments
accept
result: 21
r1 = r4
r2 = 3
call function 1
exit
-- function 1: int (nonnull 16, int)
r2 &= 15
r1 += r2
r0 = *(u8 *)(r1 + 0)
exit

== an argument that its type does not have
refuse: reads r2
r1 = 1
r2 = 3
call function 1
exit
-- function 1: int (int)
r0 = r2
exit

== more deep than the stack
refuse: 512 bytes of stack
stricter: 6.18 gives functions stacks of their own where it can
*(u64 *)(r10 - 256) = 0
r1 = 1
call function 1
exit
-- function 1: int (int)
*(u64 *)(r10 - 264) = 0
r0 = 0
exit

== seven functions deep
accept
result: 1
r1 = 1
call function 1
exit
-- function 1: int (int)
r1 = 1
call function 2
exit
-- function 2: int (int)
r1 = 1
call function 3
exit
-- function 3: int (int)
r1 = 1
call function 4
exit
-- function 4: int (int)
r1 = 1
call function 5
exit
-- function 5: int (int)
r1 = 1
call function 6
exit
-- function 6: int (int)
r0 = 1
exit

== nine functions deep
refuse: more than 8 deep
r1 = 1
call function 1
exit
-- function 1: int (int)
r1 = 1
call function 2
exit
-- function 2: int (int)
r1 = 1
call function 3
exit
-- function 3: int (int)
r1 = 1
call function 4
exit
-- function 4: int (int)
r1 = 1
call function 5
exit
-- function 5: int (int)
r1 = 1
call function 6
exit
-- function 6: int (int)
r1 = 1
call function 7
exit
-- function 7: int (int)
r1 = 1
call function 8
exit
-- function 8: int (int)
r0 = 1
exit

== atomic operation in memory that is handed over at an odd offset
refuse: at no multiple of 8
stricter: there are processors that end the program then, and the kernel would fault
r1 = table_value 2 + 3 ll
call function 1
r0 = 0
exit
-- function 1: int (nonnull 16)
r2 = 5
lock *(u64 *)(r1 + 0) += r2
r0 = 0
exit

== atomic operation of 4 bytes in memory at a multiple of 4
accept
result: 0
r1 = table_value 2 + 4 ll
call function 1
r0 = 0
exit
-- function 1: int (nonnull 16)
r2 = 5
lock *(u32 *)(r1 + 0) += r2
r0 = 0
exit

== atomic operation of 8 bytes in memory at a multiple of 4
refuse: at no multiple of 8
stricter: there are processors that end the program then, and the kernel would fault
r1 = table_value 2 + 4 ll
call function 1
r0 = 0
exit
-- function 1: int (nonnull 16)
r2 = 5
lock *(u64 *)(r1 + 0) += r2
r0 = 0
exit

== atomic operation in memory that is handed on at an odd offset
refuse: at no multiple of 8
stricter: there are processors that end the program then, and the kernel would fault
r1 = table_value 2 + 8 ll
call function 1
r0 = 0
exit
-- function 1: int (nonnull 24)
r1 += 1
call function 2
r0 = 0
exit
-- function 2: int (nonnull 16)
r2 = 5
lock *(u64 *)(r1 + 0) += r2
r0 = 0
exit

== atomic operation in memory that came at an odd offset and is handed on
refuse: at no multiple of 8
stricter: there are processors that end the program then, and the kernel would fault
r1 = table_value 2 + 1 ll
call function 1
r0 = 0
exit
-- function 1: int (nonnull 24)
r1 += 8
call function 2
r0 = 0
exit
-- function 2: int (nonnull 16)
r2 = 5
lock *(u64 *)(r1 + 0) += r2
r0 = 0
exit

== atomic operation in memory that is handed on as it came
accept
result: 0
r1 = table_value 2 + 8 ll
call function 1
r0 = 0
exit
-- function 1: int (nonnull 24)
r1 += 8
call function 2
r0 = 0
exit
-- function 2: int (nonnull 16)
r2 = 5
lock *(u64 *)(r1 + 0) += r2
r0 = 0
exit

== atomic operation in memory that comes at two offsets
refuse: at no multiple of 8
stricter: there are processors that end the program then, and the kernel would fault
r1 = table_value 2 + 8 ll
call function 1
r1 = table_value 2 + 12 ll
call function 1
r0 = 0
exit
-- function 1: int (nonnull 16)
r2 = 5
lock *(u64 *)(r1 + 0) += r2
r0 = 0
exit

== a function that hands memory on is called once more, when what it calls was followed
refuse: at no multiple of 8
stricter: there are processors that end the program then, and the kernel would fault
r1 = table_value 2 + 8 ll
call function 1
r1 = table_value 2 + 0 ll
call function 3
r0 = 0
exit
-- function 1: int (nonnull 16)
r1 += 0
call function 2
r0 = 0
exit
-- function 2: int (nonnull 16)
r2 = 5
lock *(u64 *)(r1 + 0) += r2
r0 = 0
exit
-- function 3: int (nonnull 24)
r1 += 4
call function 1
r0 = 0
exit
