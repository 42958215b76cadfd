// Makes system calls fail on purpose. The test executable's definitions of these calls stand before the C library's,
// so that the code under test calls them without knowing. Plans hold for the calling thread only.
#ifndef CFAULTS_H
#define CFAULTS_H

typedef enum { FAULT_ACCEPT4, FAULT_EPOLL_CTL, FAULT_RECV, FAULT_RECVMMSG, FAULT_SEND, FAULT_SENDMMSG, FAULT_CALLS } fault_call;

/// Lets the next `skip` calls pass and the `times` calls after them fail with `error`.
void faults_fail(fault_call call, int skip, int times, int error);
/// Lets each call move at most `count` bytes (recv, send) or datagrams (recvmmsg, sendmmsg); 0: no limit.
void faults_limit(fault_call call, unsigned count);
/// How often the call was made since `faults_clear`.
unsigned faults_calls(fault_call call);
/// Forgets all plans of this thread.
void faults_clear(void);

typedef enum { DISK_WRITE, DISK_SYNC, DISK_CALLS } disk_call;

/// Files below a folder, whichever thread writes them: lets the next `skip` calls pass and the `times` calls after them
/// fail with `error`; 0 times ends the plan. A path with a space at its end means that file
/// alone. At most 64 folders at a time.
void faults_disk(const char *folder, disk_call call, int skip, int times, int error);

/// Lets this thread open files as another user, if it may; the one before.
unsigned faults_user(unsigned user);
#endif
