/* guard listener CMD...    runs CMD under a filter of system calls that has a listener, as a container's runtime may
   guard NUMBER ERROR CMD... runs CMD under one that answers that call with that error, as an old kernel or a profile would */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int listener = argc > 2 && !strcmp(argv[1], "listener");
    if (argc < 3 || (!listener && argc < 4)) return 64;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, listener ? 0xffffffff : atoi(argv[1]), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (listener ? 0 : atoi(argv[2]))),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (geteuid() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return 71;
    int flags = listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0) {
        perror("guard: seccomp");
        return 71;
    }
    char **command = argv + (listener ? 2 : 3);
    /* Who is listened to without a listener waits for nobody: this process keeps it open. */
    pid_t child = fork();
    if (!child) {
        execvp(*command, command);
        perror(*command);
        _exit(127);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0) return 71;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
