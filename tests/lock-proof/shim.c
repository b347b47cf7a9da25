/* Preloaded into a lock server under test: a clock that can be stepped and a disk that can be slow, while it runs. Both are read
 * from the 16 bytes of the file that LOCK_PROOF_SHIM names: seconds that the real-time clock is wrong by, microseconds that each
 * sync takes longer. Nothing happens where there is no such file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct wishes { volatile int64_t seconds, microseconds; };

static struct wishes none, *wished;

__attribute__((constructor)) static void find(void) {
  const char *path = getenv("LOCK_PROOF_SHIM");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *map = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(struct wishes), PROT_READ, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
  wished = map == MAP_FAILED ? &none : map;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int done = real(clock, at);
  if (done == 0 && clock == CLOCK_REALTIME && wished) at->tv_sec += wished->seconds;
  return done;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  int done = clock_gettime(CLOCK_REALTIME, &now);
  if (done == 0 && at) { at->tv_sec = now.tv_sec; at->tv_usec = now.tv_nsec / 1000; }
  return done;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

static void wait_a_little(void) { if (wished && wished->microseconds > 0) usleep((useconds_t)wished->microseconds); }

int fdatasync(int file) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_a_little();
  return real(file);
}

int fsync(int file) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_a_little();
  return real(file);
}
