/* A library that leaves a file where whatever loads it runs. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static __attribute__((constructor)) void leave(void) {
  close(open(getenv("LEAK") ? "/srv/redteam/preloaded-2" : "/srv/redteam/preloaded", O_CREAT | O_WRONLY, 0600));
}
