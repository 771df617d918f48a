"""Run a command without something, for it and all its children: `python confined.py WHAT COMMAND …`. Linux only.

    network-refused   socket(AF_INET or AF_INET6) fails with EPERM
    network-deadly    the same call kills the process with SIGSYS, so that even an attempt that is borne is seen
    privileges        a superuser is held to the permissions of files like everybody else

Only the standard library is used, and nothing is changed in this process but what the command inherits.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path

PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 22, 24, 38
SECCOMP_MODE_FILTER = 2
KILL_PROCESS, REFUSE, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2

# By machine: the number by which the kernel knows it (AUDIT_ARCH_…), and the number of socket(2) there.
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
IO_URING_SETUP = 425  # opens sockets without socket(2); it is shown as what the kernel does not have
X32 = 0x40000000  # system calls of the x32 ABI have this bit, by which they would pass

LOAD, JUMP_EQUAL, JUMP_GREATER_OR_EQUAL, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER_AT, MACHINE_AT, FIRST_ARGUMENT_AT = 0, 4, 16  # in struct seccomp_data, little-endian


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def network_filter(deny):
    """Return the BPF program that allows everything but internet sockets: (code, jump if true, if false, operand)."""
    machine, socket_number = MACHINES[platform.machine()]
    return [
        (LOAD, 0, 0, MACHINE_AT),
        (JUMP_EQUAL, 0, 8, machine),
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_GREATER_OR_EQUAL, 6, 0, X32),
        (JUMP_EQUAL, 6, 0, IO_URING_SETUP),
        (JUMP_EQUAL, 0, 3, socket_number),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
        (JUMP_EQUAL, 2, 0, 2),  # AF_INET
        (JUMP_EQUAL, 1, 0, 10),  # AF_INET6
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, deny),
        (RETURN, 0, 0, REFUSE | errno.ENOSYS),
    ]


def prctl(option, *arguments):
    """Call prctl(2) with whole numbers, or raise OSError."""
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *values) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}): {os.strerror(ctypes.get_errno())}")


def drop_network(deny):
    """Take internet sockets from this process and all its children."""
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in network_filter(deny))
    program = Program(len(code) // 8, code)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))


def drop_privileges():
    """Take from what is run next the right to pass by the permissions of files; others than root never had it."""
    if os.geteuid() == 0:
        prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)
        prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH)


def command(what, *arguments):
    """Return the command line that runs a command without something."""
    return [sys.executable, str(Path(__file__).resolve()), what, *map(str, arguments)]


if __name__ == "__main__":
    {
        "network-refused": lambda: drop_network(REFUSE | errno.EPERM),
        "network-deadly": lambda: drop_network(KILL_PROCESS),
        "privileges": drop_privileges,
    }[sys.argv[1]]()
    os.execvp(sys.argv[2], sys.argv[2:])
