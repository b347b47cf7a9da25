/* client.c - what is run inside each sandbox: tells when it has begun, or what a call costs there.
 *   client now         CLOCK_MONOTONIC in nanoseconds, at its first instruction of its own
 *   client CALL COUNT  nanoseconds that each of COUNT calls took */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
  long long began = now();
  if (argc == 2 && !strcmp(argv[1], "now")) {
    printf("%lld\n", began);
    return 0;
  }
  if (argc != 3) return 64;
  int count = atoi(argv[2]), unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "/run/nobody/listens"};
  began = now();
  for (int i = 0; i < count; i++) {
    if (!strcmp(argv[1], "getppid")) {
      getppid();
    } else if (!strcmp(argv[1], "kill")) {
      if (kill(getpid(), 0)) return 1;
    } else if (!strcmp(argv[1], "connect")) {
      if (!connect(unix_socket, (struct sockaddr *)&nobody, sizeof nobody) || errno != ENOENT) return 1;
    } else if (!strcmp(argv[1], "open")) {
      int file = open("/dev/null", O_WRONLY);
      if (file < 0) return 1;
      close(file);
    } else {
      return 64;
    }
  }
  printf("%.0f\n", (now() - began) / (double)count);
  return 0;
}
