#pragma once

#include "basics.h"

/// CPU time in nanoseconds that a process has used so far, all its threads together: the scheduler's own
/// count (/proc/PID/task/*/schedstat) where the kernel keeps it, else the clock ticks of /proc/PID/stat.
uint64_t process_cpu_ns(int pid);

/// CPU time in nanoseconds that this process has used so far.
uint64_t own_cpu_ns(void);

/// The largest resident size of a process since its start (VmHWM), in KiB; 0 when unknown.
uint64_t process_peak_kib(int pid);
