/* attack NAME [ARGUMENT...] - the attacks that no command of a node makes, and the canaries that attacks are made at.
 *
 * An attack says on standard output how its call ended: "ok", the name of an error, or a word of its own. Nothing here
 * harms where it works: calls that act on the whole machine get an argument that the kernel refuses only after it has
 * found the caller to be allowed, so that the error tells which of the two it was. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <mqueue.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY 0x5ed7ea
#define LOOP_SET_FD 0x4C00
#define LOOP_SET_STATUS64 0x4C04
#define LOOP_CTL_GET_FREE 0x4C82
#if defined __x86_64__ || defined __i386__
#include <sys/io.h>
#endif

static const char *id;
static char **arg;

/* How a call ended. */
static int said(long result) {
  puts(result == -1 ? strerrorname_np(errno) : "ok");
  fflush(stdout);
  return result == -1;
}

static int need(long result, const char *what) {
  if (result == -1) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    fflush(stdout);
    exit(3);
  }
  return (int)result;
}

static socklen_t unix_address(struct sockaddr_un *address, const char *name) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  strncpy(address->sun_path, name, sizeof address->sun_path - 1);
  if (name[0] != '@') return sizeof *address;
  address->sun_path[0] = 0;
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/* ---- canaries ---- */

static void heard(const char *who, const char *bytes, ssize_t count) {
  int log = open("/run/heard", O_WRONLY | O_CREAT | O_APPEND, 0600);
  dprintf(log, "%s %.*s\n", who, (int)(count < 0 ? 0 : count), bytes);
  close(log);
}

enum kind { STREAM, DATAGRAM, LISTENER, GIVER, PACKET };
static struct { int fd; enum kind kind; const char *name; } watched[128];
static int watching;

static void watch(int fd, enum kind kind, const char *name) {
  if (watching == 128) exit(4);
  watched[watching].fd = fd, watched[watching].kind = kind, watched[watching++].name = name;
}

static void serve_unix(const char *path, int type, enum kind kind) {
  struct sockaddr_un address;
  socklen_t length = unix_address(&address, path);
  int fd = need(socket(AF_UNIX, type, 0), path);
  if (path[0] != '@') unlink(path);
  need(bind(fd, (void *)&address, length), path);
  if (path[0] != '@') chmod(path, 0666);
  if (type == SOCK_STREAM) need(listen(fd, 64), path);
  watch(fd, kind, path);
}

static void serve_fifo(const char *path) {
  unlink(path);
  need(mkfifo(path, 0666), path);
  watch(need(open(path, O_RDWR), path), STREAM, path);
}

static void serve_inet(int family, int type, int port) {
  struct sockaddr_in four = loopback(port);
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
  int fd = socket(family, type, 0), on = 1;
  if (fd == -1) return; /* no IPv6 */
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int bound = family == AF_INET ? bind(fd, (void *)&four, sizeof four) : bind(fd, (void *)&six, sizeof six);
  if (bound == -1) { close(fd); return; }
  if (type == SOCK_STREAM) need(listen(fd, 64), "listen");
  watch(fd, type == SOCK_STREAM ? LISTENER : DATAGRAM, "inet");
}

/* A terminal with nobody's name: what is written to it and what is typed into it is heard. */
static void serve_terminal(void) {
  int master, slave;
  char name[64];
  struct termios raw;
  need(openpty(&master, &slave, name, NULL, NULL), "openpty");
  tcgetattr(slave, &raw);
  raw.c_lflag &= ~(tcflag_t)(ICANON);
  tcsetattr(slave, TCSANOW, &raw);
  FILE *note = fopen("/run/redteam/tty", "w");
  fprintf(note, "%s\n", name);
  fclose(note);
  watch(master, STREAM, "terminal");
  watch(slave, STREAM, "typed");
}

/* Hands a descriptor of a folder to whoever comes. */
static void give(int to) {
  int folder = open("/srv/redteam/given", O_RDONLY | O_DIRECTORY);
  char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &folder, sizeof folder);
  sendmsg(to, &message, 0);
  close(folder);
}

/* All that listens in the node. */
static __attribute__((noreturn)) int serve(void) {
  signal(SIGPIPE, SIG_IGN);
  static const char *streams[] = {"/run/redteam/stream.sock", "@redteam-stream", "/run/dbus/system_bus_socket",
                                  "/run/redteam/linked.sock", "/srv/redteam/stream.sock", "/tmp/redteam.sock",
                                  "/run/docker.sock", "/run/systemd/private"};
  static const char *datagrams[] = {"/dev/log", "/run/systemd/journal/socket", "/run/systemd/journal/dev-log",
                                    "/run/systemd/notify", "@redteam-datagram"};
  for (size_t n = 0; n < sizeof streams / sizeof *streams; n++) serve_unix(streams[n], SOCK_STREAM, LISTENER);
  for (size_t n = 0; n < sizeof datagrams / sizeof *datagrams; n++) serve_unix(datagrams[n], SOCK_DGRAM, DATAGRAM);
  serve_unix("/run/redteam/giver.sock", SOCK_STREAM, GIVER);
  serve_fifo("/run/redteam/fifo");
  serve_fifo("/run/initctl");
  serve_fifo("/srv/redteam/fifo");
  static const int tcp[] = {7701, 7702, 7703, 7704, 7705, 25};
  for (size_t n = 0; n < sizeof tcp / sizeof *tcp; n++) serve_inet(AF_INET, SOCK_STREAM, tcp[n]);
  serve_inet(AF_INET6, SOCK_STREAM, 7701);
  serve_inet(AF_INET, SOCK_DGRAM, 7701);
  serve_inet(AF_INET, SOCK_DGRAM, 53);
  serve_terminal();
  int ping = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  if (ping != -1) watch(ping, PACKET, "icmp");
  int wire = socket(AF_PACKET, SOCK_DGRAM, htons(0x88b5));
  if (wire != -1) watch(wire, PACKET, "wire");
  struct mq_attr small = {.mq_maxmsg = 8, .mq_msgsize = 64};
  mq_open("/redteam", O_CREAT | O_RDWR, 0666, &small);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd fds[128];
    for (int n = 0; n < watching; n++) fds[n] = (struct pollfd){.fd = watched[n].fd, .events = POLLIN};
    if (poll(fds, (nfds_t)watching, -1) == -1) continue;
    for (int n = watching - 1; n >= 0; n--) {
      char bytes[4096];
      if (!fds[n].revents) continue;
      if (watched[n].kind == LISTENER || watched[n].kind == GIVER) {
        int guest = accept4(watched[n].fd, NULL, NULL, SOCK_CLOEXEC);
        if (guest == -1) continue;
        heard(watched[n].name, "came", 4);
        if (watched[n].kind == GIVER) { give(guest); close(guest); continue; }
        watch(guest, STREAM, watched[n].name);
        continue;
      }
      ssize_t got = read(watched[n].fd, bytes, sizeof bytes);
      if (got > 0) {
        for (ssize_t at = 0; at < got; at++) if (!bytes[at] || bytes[at] == '\n') bytes[at] = ' ';
        heard(watched[n].name, bytes, got);
      } else if (watched[n].kind == STREAM && !(got == -1 && (errno == EAGAIN || errno == EINTR))) {
        close(watched[n].fd);
        watched[n] = watched[--watching];
      }
    }
  }
}

/* A process with a word in its memory, at the address that it tells in a file; and a file open for writing. */
static char word[8] = "canary";
static int hold(void) {
  FILE *note = fopen(arg[0], "w");
  fprintf(note, "%d %p\n", getpid(), (void *)word);
  fclose(note);
  int file = open("/srv/redteam/held", O_RDWR | O_CREAT | O_APPEND, 0600);
  while (file != -1) {
    usleep(10000);
    if (strcmp(word, "canary")) { char text[] = "changed\n"; if (write(file, text, sizeof text - 1)) strcpy(word, "canary"); }
  }
  return 1;
}

/* A disk of the node's own: a loop device over a file, gone with this process. Says its name. */
static __attribute__((noreturn)) int disk(void) {
  int control = need(open(arg[0], O_RDWR), "loop-control");
  int number = need(ioctl(control, LOOP_CTL_GET_FREE), "a free loop device");
  char node[64];
  snprintf(node, sizeof node, "/dev/loop%d", number);
  mknod(node, S_IFBLK | 0600, makedev(7, number));
  int device = need(open(node, O_RDWR), node);
  int file = need(open(arg[1], O_RDWR), arg[1]);
  need(ioctl(device, LOOP_SET_FD, file), "LOOP_SET_FD");
  struct { uint64_t device, inode, rdevice, offset, limit; uint32_t number, crypt, key, flags; uint8_t rest[176]; } status = {0};
  status.flags = 4; /* LO_FLAGS_AUTOCLEAR */
  need(ioctl(device, LOOP_SET_STATUS64, &status), "LOOP_SET_STATUS64");
  printf("%d\n", number);
  fflush(stdout);
  for (;;) pause();
}

/* Runs a command with a terminal that controls it; its streams stay what they are. What comes to the terminal is heard. */
static int with_tty(void) {
  int master, slave;
  need(openpty(&master, &slave, NULL, NULL, NULL), "openpty");
  pid_t child = need(fork(), "fork");
  if (!child) {
    close(master);
    need(setsid(), "setsid");
    need(ioctl(slave, TIOCSCTTY, 0), "TIOCSCTTY");
    close(slave);
    execvp(arg[0], arg);
    _exit(127);
  }
  pid_t reader = fork();
  if (!reader) {
    char bytes[512];
    ssize_t got;
    while ((got = read(master, bytes, sizeof bytes)) > 0) heard("ctty", bytes, got);
    _exit(0);
  }
  close(master);
  int status;
  need(waitpid(child, &status, 0), "waitpid");
  close(slave);
  kill(reader, SIGKILL);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- descriptors ---- */

/* Writes a file of that name in every folder of canaries that one of a process's descriptors leads to, and at its end to
 * every file of them. */
static int descriptors(void) {
  int tried = 0;
  for (int fd = 3; fd < 300; fd++) {
    char path[128];
    struct stat there;
    snprintf(path, sizeof path, "/proc/%s/fd/%d", arg[0], fd);
    char leads[256] = {0};
    if (readlink(path, leads, sizeof leads - 1) == -1 || strncmp(leads, "/srv/redteam", 12) || stat(path, &there)) continue;
    if (S_ISDIR(there.st_mode)) {
      int folder = open(path, O_RDONLY | O_DIRECTORY);
      int leak = openat(folder, arg[1], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
      close(leak), close(folder), tried++;
    } else if (S_ISREG(there.st_mode)) {
      int file = open(path, O_WRONLY | O_APPEND);
      if (file != -1 && write(file, arg[1], strlen(arg[1])) > 0) tried++;
      close(file);
    }
  }
  printf("%d\n", tried);
  return 0;
}

static int fchdir_out(void) {
  int fd = atoi(arg[0]);
  if (fchdir(fd)) return said(-1);
  for (int n = 0; n < 30 && n < atoi(arg[2]); n++) need(chdir(".."), "..");
  return said(open(arg[1], O_CREAT | O_WRONLY, 0600));
}

static int take(void) {
  struct sockaddr_un address;
  socklen_t length = unix_address(&address, arg[0]);
  int fd = need(socket(AF_UNIX, SOCK_STREAM, 0), "socket"), folder;
  need(connect(fd, (void *)&address, length), "connect");
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  need(recvmsg(fd, &message, 0), "recvmsg");
  memcpy(&folder, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof folder);
  return said(openat(folder, "leak", O_CREAT | O_WRONLY, 0600));
}

/* Takes the last descriptor of a process. */
static int getfd(void) {
  int process = need(syscall(SYS_pidfd_open, atoi(arg[0]), 0), "pidfd_open");
  for (int number = 9; number > 2; number--) {
    int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    if (fd != -1) return said(write(fd, "leak\n", 5));
  }
  return said(-1);
}

static int lock(void) {
  int fd = need(open(arg[0], O_RDWR), "open");
  need(flock(fd, LOCK_EX | LOCK_NB), "flock");
  puts("ok"), fflush(stdout);
  if (!fork()) { setsid(); for (;;) pause(); }
  return 0;
}

/* ---- files ---- */

static int mmap_write(void) {
  int fd = need(open(arg[0], O_RDWR), "open");
  char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return said(-1);
  memcpy(page, "leak", 4);
  return said(msync(page, 4096, MS_SYNC));
}

static int copy_range(void) {
  int from = need(open("/etc/hostname", O_RDONLY), "open"), to = need(open(arg[0], O_WRONLY), "open");
  loff_t zero = 0, at = 0;
  return said(copy_file_range(from, &zero, to, &at, 4, 0));
}

static int splice_write(void) {
  int ends[2], to = need(open(arg[0], O_WRONLY), "open");
  need(pipe(ends), "pipe");
  if (write(ends[1], "leak", 4) != 4) return 1;
  loff_t at = 0;
  return said(splice(ends[0], NULL, to, &at, 4, 0));
}

static int unnamed_file(void) {
  char self[64];
  int fd = need(open(arg[0], O_TMPFILE | O_WRONLY, 0600), "O_TMPFILE");
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  return said(linkat(AT_FDCWD, self, AT_FDCWD, arg[1], AT_SYMLINK_FOLLOW));
}

static int exchange(void) { return said(renameat2(AT_FDCWD, arg[0], AT_FDCWD, arg[1], RENAME_EXCHANGE)); }

/* Out of a chroot, by a folder above it, to the root of the mount namespace; writes a file from there. */
static int chroot_escape(void) {
  mkdir("/tmp/below", 0700);
  int above = need(open("/", O_RDONLY | O_DIRECTORY), "open");
  need(chroot("/tmp/below"), "chroot");
  need(fchdir(above), "fchdir");
  for (int n = 0; n < 64; n++) need(chdir(".."), "..");
  need(chroot("."), "chroot");
  return said(open(arg[0], O_CREAT | O_WRONLY, 0600));
}

static int by_handle(void) {
  struct { struct file_handle head; unsigned char rest[128]; } handle = {.head.handle_bytes = 128};
  int number, mount = need(open(arg[0], O_RDONLY | O_DIRECTORY), "open");
  need(name_to_handle_at(mount, arg[1], &handle.head, &number, 0), "name_to_handle_at");
  return said(open_by_handle_at(mount, &handle.head, O_RDONLY));
}

/* Opens for writing, writes nothing, and says whether the kernel is behind it. */
static int open_kernel(void) {
  int fd = open(arg[0], O_WRONLY);
  struct statfs kind;
  if (fd == -1 || fstatfs(fd, &kind)) return said(-1);
  switch ((unsigned long)kind.f_type) {
    case 0x9fa0: case 0x62656572: case 0x64626720: case 0x74726163: case 0x27e0eb: case 0x63677270: puts("kernel"); break;
    default: puts("something else");
  }
  return 0;
}

/* Opens a device, and says whether there is one behind it. */
static int open_device(void) {
  int fd = open(arg[0], arg[1] ? O_WRONLY | O_NONBLOCK : O_RDONLY | O_NONBLOCK);
  struct stat there;
  if (fd == -1 || fstat(fd, &there)) return said(-1);
  puts(S_ISCHR(there.st_mode) || S_ISBLK(there.st_mode) ? "device" : "something else");
  return 0;
}

static int flush_disk(void) { return said(ioctl(need(open(arg[0], O_RDONLY), "open"), BLKFLSBUF, 0)); }

static int loop_control(void) {
  int fd = need(open(arg[0], O_RDWR), "open");
  return said(ioctl(fd, LOOP_CTL_GET_FREE));
}

/* ---- mounts, by number: not every C library knows them ---- */

static int fsmount_over(void) {
  int fs = need(syscall(430, "tmpfs", 0), "fsopen");
  need(syscall(431, fs, 6, NULL, NULL, 0), "fsconfig");
  int made = need(syscall(432, fs, 0, 0), "fsmount");
  return said(syscall(429, made, "", AT_FDCWD, arg[0], 4));
}

static int tree_over(void) {
  int tree = need(syscall(428, AT_FDCWD, arg[0], 1), "open_tree");
  return said(syscall(429, tree, "", AT_FDCWD, arg[1], 4));
}

static int writable_again(void) {
  struct { uint64_t set, clear, propagation, user; } attributes = {0, 1, 0, 0};
  return said(syscall(442, AT_FDCWD, arg[0], 0, &attributes, sizeof attributes));
}

static int mount_at(void) { return said(mount(arg[0], arg[1], arg[2], strtoul(arg[3], NULL, 10), NULL)); }
static int umount_all(void) {
  int done = 0;
  for (int n = 1; arg[n - 1]; n++) done += !umount2(arg[n - 1], MNT_DETACH);
  printf("%d\n", done);
  return 0;
}

static int join(void) {
  need(setns((int)need(syscall(SYS_pidfd_open, atoi(arg[0]), 0), "pidfd_open"), CLONE_NEWNS), "setns");
  return said(open(arg[1], O_CREAT | O_WRONLY, 0600));
}
static int pivot(void) { return said(syscall(SYS_pivot_root, "/no/such", "/no/such")); }
static int swap_on(void) { return said(syscall(SYS_swapon, "/no/such", 0)); }
static int swap_off(void) { return said(syscall(SYS_swapoff, "/no/such")); }

/* ---- processes ---- */

static pid_t target(void) { return (pid_t)atoi(arg[0]); }
static int tg_kill(void) { return said(syscall(SYS_tgkill, target(), target(), SIGKILL)); }
static int queue(void) { return said(sigqueue(target(), SIGKILL, (union sigval){0})); }
static int pidfd_kill(void) {
  int fd = need(syscall(SYS_pidfd_open, target(), 0), "pidfd_open");
  return said(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
}
static int trace(void) {
  need(ptrace(PTRACE_ATTACH, target(), 0, 0), "PTRACE_ATTACH");
  waitpid(target(), NULL, __WALL);
  return said(ptrace(PTRACE_DETACH, target(), 0, (void *)(long)SIGKILL));
}
static void *address(void) { return (void *)strtoul(arg[1], NULL, 16); }
static int vm_write(void) {
  struct iovec here = {"leak", 5}, there = {address(), 5};
  return said(process_vm_writev(target(), &here, 1, &there, 1, 0));
}
static int mem_write(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/mem", arg[0]);
  int fd = need(open(path, O_RDWR), "open");
  return said(pwrite(fd, "leak", 5, (off_t)(uintptr_t)address()));
}
static int nice_value(void) { return said(setpriority(PRIO_PROCESS, (id_t)target(), 7)); }
static int affinity(void) {
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  return said(sched_setaffinity(target(), sizeof first, &first));
}
static int renice_user(void) { return said(setpriority(PRIO_USER, 0, 3)); }
static int daemon_away(void) {
  if (fork()) return 0;
  setsid();
  if (fork()) _exit(0);
  for (int n = 1; n < 32; n++) signal(n, SIG_IGN);
  for (int fd = 0; fd < 100; fd++) close(fd);
  if (chdir("/") == 0) execl("/usr/bin/sleep", "sleep", arg[0], NULL);
  _exit(1);
}
static int core_limit(void) {
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  return said(setrlimit(RLIMIT_CORE, &limit));
}

/* ---- the kernel: each with what it refuses to whoever is allowed ---- */

static int load_module(void) { return said(syscall(SYS_init_module, "no module", 9, "")); }
static int load_module_file(void) {
  int fd = need(open("/etc/hostname", O_RDONLY), "open");
  return said(syscall(SYS_finit_module, fd, "", -1));
}
static int remove_module(void) { return said(syscall(SYS_delete_module, "redteam_none", O_NONBLOCK)); }
static int kexec(void) { return said(syscall(SYS_kexec_load, 0L, 0L, NULL, 0x8000L)); }
static int kexec_file(void) { return said(syscall(SYS_kexec_file_load, -1, -1, 0L, "", 0x8000L)); }
static int restart(void) { return said(syscall(SYS_reboot, 1, 2, 3, NULL)); }
static int console_level(void) { return said(syscall(SYS_syslog, 8, NULL, 0)); }
static int account(void) { return said(acct("/no/such")); }
static int hang_up(void) { return said(vhangup()); }
static int host_name(void) { return said(sethostname(arg[0], strlen(arg[0]))); }
static int domain_name(void) { return said(setdomainname(arg[0], strlen(arg[0]))); }
static int bpf_map(void) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  return said(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
}
static int perf(void) {
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_CPU_CLOCK};
  return said(syscall(SYS_perf_event_open, &event, -1, 0, -1, 0)); /* of everybody on the first processor */
}
static int user_fault(void) { return said(syscall(SYS_userfaultfd, 0)); }
static int watch_files(void) {
  int fd = need(fanotify_init(FAN_CLASS_CONTENT, O_RDONLY), "fanotify_init");
  return said(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "/srv"));
}
static int ports(void) {
#if defined __x86_64__ || defined __i386__
  return said(ioperm(0x80, 1, 1));
#else
  puts("absent");
  return 0;
#endif
}
static int port_level(void) {
#if defined __x86_64__ || defined __i386__
  return said(iopl(3));
#else
  puts("absent");
  return 0;
#endif
}
static int add_key(void) {
  long key = syscall(SYS_add_key, "user", arg[0], "leak", 4, KEY_SPEC_USER_KEYRING);
  if (key != -1) syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, key, 60);
  return said(key);
}
static int has_key(void) {
  long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", arg[0], 0);
  if (key == -1) return 1;
  return syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_USER_KEYRING) == -1;
}

/* ---- time ---- */

static int set_clock(void) { return said(clock_settime(CLOCK_REALTIME, &(struct timespec){0, 0})); } /* before the boot */
static int set_zone(void) { return said(syscall(SYS_settimeofday, NULL, &(struct timezone){9999, 0})); }
static int adjust(void) { return said(adjtimex(&(struct timex){.modes = ADJ_TICK, .tick = 1})); }
static int adjust_clock(void) { return said(clock_adjtime(CLOCK_REALTIME, &(struct timex){.modes = ADJ_TICK, .tick = 1})); }
static int wake(void) { return said(timerfd_create(CLOCK_BOOTTIME_ALARM, 0)); }

/* A system call by the numbers of 32 bits, from a program of 64. */
static long old_call(long number, long one, long two, long three) {
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(one), "c"(two), "d"(three) : "memory", "r8", "r9", "r10", "r11");
  if (result < 0 && result > -4096) { errno = (int)-result; return -1; }
  return result;
#else
  errno = ENOSYS;
  return number + one + two + three ? -1 : -1;
#endif
}
static int old_pid(void) { return said(old_call(20, 0, 0, 0)); }
static int old_kill(void) { return said(old_call(37, target(), SIGKILL, 0)); }
static int old_time(void) {
  int *zero = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | 0x40, -1, 0); /* MAP_32BIT */
  return said(old_call(25, (long)(intptr_t)zero, 0, 0)); /* stime: before the boot; that it refuses it, it does not say */
}
static int old_key(void) {
  char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | 0x40, -1, 0);
  strcpy(low, "user"), strcpy(low + 64, arg[0]);
#ifdef __x86_64__
  long result, type = (long)low, name = (long)(low + 64);
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(286L), "b"(type), "c"(name), "d"(name), "S"(4L), "D"((long)KEY_SPEC_USER_KEYRING) : "memory", "r8", "r9", "r10", "r11");
  if (result < 0) { errno = (int)-result; return said(-1); }
  return said(result);
#else
  return 1;
#endif
}
static int x32_pid(void) { return said(syscall(0x40000000 + 39)); }

/* ---- IPC ---- */

static int shm_make(void) {
  int number = need(shmget(KEY, 4096, IPC_CREAT | 0666), "shmget");
  strcpy(shmat(number, NULL, 0), "canary");
  need(semget(KEY, 1, IPC_CREAT | 0666), "semget");
  need(msgget(KEY, IPC_CREAT | 0666), "msgget");
  return said(shmget(KEY + 1, 4096, IPC_CREAT | 0666));
}
static int shm_look(void) { return strcmp(shmat(need(shmget(KEY, 0, 0), "shmget"), NULL, 0), arg[0]) != 0; }
static int sem_look(void) { return semctl(need(semget(KEY, 0, 0), "semget"), 0, GETVAL) != atoi(arg[0]); }
static int msg_look(void) {
  struct msqid_ds queue;
  need(msgctl(need(msgget(KEY, 0), "msgget"), IPC_STAT, &queue), "msgctl");
  return queue.msg_qnum == 0;
}
static int shm_write(void) {
  int number = need(shmget(KEY, 0, 0), "shmget");
  char *memory = shmat(number, NULL, 0);
  strcpy(memory, "leak");
  return said(0);
}
static int shm_remove(void) { return said(shmctl(need(shmget(KEY + 1, 0, 0), "shmget"), IPC_RMID, NULL)); }
static int sem_set(void) { return said(semctl(need(semget(KEY, 0, 0), "semget"), 0, SETVAL, 7)); }
static int msg_send(void) {
  struct { long type; char text[8]; } message = {1, "leak"};
  return said(msgsnd(need(msgget(KEY, 0), "msgget"), &message, 8, IPC_NOWAIT));
}
static int mq_put(void) {
  mqd_t queue = mq_open("/redteam", O_WRONLY | O_NONBLOCK);
  return said(queue == -1 ? -1 : mq_send(queue, "leak", 4, 0));
}
static int mq_look(void) {
  struct mq_attr state;
  mqd_t queue = mq_open("/redteam", O_RDONLY | O_NONBLOCK);
  return queue == -1 || mq_getattr(queue, &state) || state.mq_curmsgs == 0;
}

/* ---- network ---- */

static int unix_stream(void) {
  struct sockaddr_un address;
  socklen_t length = unix_address(&address, arg[0]);
  int fd = need(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
  need(connect(fd, (void *)&address, length), "connect");
  return said(write(fd, id, strlen(id)));
}
static int unix_datagram(void) {
  struct sockaddr_un address;
  socklen_t length = unix_address(&address, arg[0]);
  int fd = need(socket(AF_UNIX, SOCK_DGRAM, 0), "socket");
  return said(sendto(fd, id, strlen(id), 0, (void *)&address, length));
}
static int udp_sendmsg(void) {
  struct sockaddr_in to = loopback(7701);
  struct iovec part = {(void *)id, strlen(id)};
  struct mmsghdr many = {.msg_hdr = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1}};
  int fd = need(socket(AF_INET, SOCK_DGRAM, 0), "socket");
  return said(arg[0] ? sendmmsg(fd, &many, 1, 0) : sendmsg(fd, &many.msg_hdr, 0));
}
static int tcp_fast(void) {
  struct sockaddr_in to = loopback(7703);
  int fd = need(socket(AF_INET, SOCK_STREAM, 0), "socket");
  return said(sendto(fd, id, strlen(id), MSG_FASTOPEN, (void *)&to, sizeof to));
}
static int ping(void) {
  struct { struct icmphdr head; char text[32]; } packet = {.head = {.type = ICMP_ECHO}};
  struct sockaddr_in to = loopback(0);
  strncpy(packet.text, id, 31);
  unsigned sum = 0;
  for (size_t n = 0; n < sizeof packet / 2; n++) sum += ((uint16_t *)&packet)[n];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  packet.head.checksum = (uint16_t)~sum;
  int fd = need(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), "socket");
  return said(sendto(fd, &packet, sizeof packet, 0, (void *)&to, sizeof to));
}
static int wire(void) {
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = 1, .sll_halen = 6};
  int fd = need(socket(AF_PACKET, SOCK_DGRAM, htons(0x88b5)), "socket");
  return said(sendto(fd, id, strlen(id), 0, (void *)&to, sizeof to));
}

/* Asks the kernel by netlink, and says its answer. */
static int netlink(int family, int type, int flags, const void *body, size_t length) {
  struct { struct nlmsghdr head; char body[256]; } ask = {0};
  ask.head = (struct nlmsghdr){.nlmsg_len = (uint32_t)NLMSG_LENGTH(length), .nlmsg_type = (uint16_t)type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags)};
  memcpy(NLMSG_DATA(&ask.head), body, length);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  int fd = need(socket(AF_NETLINK, SOCK_RAW, family), "socket");
  need(sendto(fd, &ask, ask.head.nlmsg_len, 0, (void *)&kernel, sizeof kernel), "sendto");
  need(recv(fd, &ask, sizeof ask, 0), "recv");
  errno = -((struct nlmsgerr *)NLMSG_DATA(&ask.head))->error;
  return said(errno ? -1 : 0);
}
static int netlink_address(void) {
  struct { struct ifaddrmsg head; struct rtattr attribute; in_addr_t address; } body = {
      {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1}, {8, IFA_LOCAL}, inet_addr(arg[0])};
  return netlink(NETLINK_ROUTE, RTM_NEWADDR, NLM_F_CREATE, &body, sizeof body);
}
static int packet_size(void) {
  struct ifreq link = {.ifr_name = "lo", .ifr_mtu = atoi(arg[0])};
  return said(ioctl(need(socket(AF_INET, SOCK_DGRAM, 0), "socket"), SIOCSIFMTU, &link));
}
static int route(void) {
  struct sockaddr_in to = {.sin_family = AF_INET}, mask = {.sin_family = AF_INET};
  struct rtentry entry = {.rt_flags = RTF_UP, .rt_dev = "lo"};
  inet_pton(AF_INET, arg[0], &to.sin_addr), inet_pton(AF_INET, "255.255.255.0", &mask.sin_addr);
  memcpy(&entry.rt_dst, &to, sizeof to), memcpy(&entry.rt_genmask, &mask, sizeof mask);
  return said(ioctl(need(socket(AF_INET, SOCK_DGRAM, 0), "socket"), SIOCADDRT, &entry));
}
static int audit_message(void) {
  char text[64];
  return netlink(NETLINK_AUDIT, AUDIT_USER, 0, text, (size_t)snprintf(text, sizeof text, "op=%s", id) + 1);
}
static int vsock(void) {
  struct sockaddr_vm any = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VMADDR_PORT_ANY};
  return said(bind(need(socket(AF_VSOCK, SOCK_STREAM, 0), "socket"), (void *)&any, sizeof any));
}
static int crypto(void) { return said(socket(AF_ALG, SOCK_SEQPACKET, 0)); }
static int listener(void) {
  struct sockaddr_in here = loopback(atoi(arg[0]));
  int fd = need(socket(AF_INET, SOCK_STREAM, 0), "socket");
  need(bind(fd, (void *)&here, sizeof here), "bind");
  need(listen(fd, 4), "listen");
  puts("ok"), fflush(stdout);
  if (!fork()) { setsid(); for (;;) pause(); }
  return 0;
}

/* One request on a ring of io_uring. */
static int ring(struct io_uring_sqe *request) {
  struct io_uring_params params = {0};
  int fd = need(syscall(SYS_io_uring_setup, 2, &params), "io_uring_setup");
  char *queue = mmap(NULL, params.sq_off.array + params.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
  char *done = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_CQ_RING);
  struct io_uring_sqe *entries = mmap(NULL, params.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
  if (queue == MAP_FAILED || done == MAP_FAILED || entries == MAP_FAILED) return said(-1);
  entries[0] = *request;
  ((unsigned *)(queue + params.sq_off.array))[0] = 0;
  __atomic_store_n((unsigned *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
  need(syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
  int result = ((struct io_uring_cqe *)(done + params.cq_off.cqes))->res;
  errno = result < 0 ? -result : 0;
  return result < 0 ? -1 : result;
}
static int ring_connect(void) {
  struct sockaddr_in to = loopback(7704);
  int fd = need(socket(AF_INET, SOCK_STREAM, 0), "socket");
  struct io_uring_sqe request = {.opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uint64_t)(uintptr_t)&to, .off = sizeof to};
  need(ring(&request), "connect");
  return said(write(fd, id, strlen(id)));
}
static int ring_open(void) {
  struct io_uring_sqe request = {.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uint64_t)(uintptr_t)arg[0], .open_flags = O_CREAT | O_WRONLY, .len = 0600};
  return said(ring(&request));
}
static int ring_made(void) {
  struct io_uring_params params = {0};
  return said(syscall(SYS_io_uring_setup, 2, &params));
}

/* ---- terminals ---- */

static int type_into(void) {
  int fd = need(open(arg[0], O_RDWR | O_NOCTTY), "open");
  for (const char *at = id; *at; at++) need(ioctl(fd, TIOCSTI, at), "TIOCSTI");
  return said(0);
}

/* ---- the supervisor ---- */

static int ask(void) {
  struct sockaddr_un address;
  socklen_t length = unix_address(&address, "/dev/disco");
  int fd = need(socket(AF_UNIX, SOCK_SEQPACKET, 0), "socket");
  need(connect(fd, (void *)&address, length), "connect");
  need(send(fd, arg[0], strlen(arg[0]), 0), "send");
  char answer[4096];
  struct timeval patience = {5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return said(recv(fd, answer, sizeof answer, 0));
}

static const struct { const char *name; int (*body)(void); } all[] = {
    {"serve", serve}, {"hold", hold}, {"disk", disk}, {"with-tty", with_tty},
    {"descriptors", descriptors}, {"fchdir", fchdir_out}, {"take", take}, {"getfd", getfd}, {"lock", lock},
    {"mmap-write", mmap_write}, {"copy-range", copy_range}, {"splice", splice_write}, {"unnamed", unnamed_file},
    {"exchange", exchange}, {"chroot-escape", chroot_escape}, {"by-handle", by_handle},
    {"open-kernel", open_kernel}, {"open-device", open_device}, {"flush-disk", flush_disk},
    {"loop-control", loop_control}, {"fsmount", fsmount_over}, {"open-tree", tree_over},
    {"mount-setattr", writable_again}, {"mount", mount_at}, {"umount-all", umount_all}, {"join", join}, {"pivot", pivot}, {"swapon", swap_on},
    {"swapoff", swap_off}, {"tgkill", tg_kill}, {"sigqueue", queue}, {"pidfd-kill", pidfd_kill}, {"ptrace", trace},
    {"vm-write", vm_write}, {"mem-write", mem_write}, {"nice", nice_value}, {"affinity", affinity}, {"renice-user", renice_user}, {"daemon", daemon_away},
    {"core-limit", core_limit}, {"init-module", load_module}, {"finit-module", load_module_file},
    {"delete-module", remove_module}, {"kexec", kexec}, {"kexec-file", kexec_file}, {"reboot", restart},
    {"syslog", console_level}, {"acct", account}, {"vhangup", hang_up}, {"hostname", host_name},
    {"domainname", domain_name}, {"bpf", bpf_map}, {"perf", perf}, {"userfaultfd", user_fault},
    {"fanotify", watch_files}, {"ioperm", ports}, {"iopl", port_level}, {"add-key", add_key}, {"has-key", has_key},
    {"clock-settime", set_clock}, {"settimeofday", set_zone}, {"adjtimex", adjust}, {"clock-adjtime", adjust_clock},
    {"wake-alarm", wake}, {"old-pid", old_pid}, {"old-kill", old_kill}, {"old-time", old_time}, {"old-key", old_key},
    {"x32-pid", x32_pid}, {"ipc-make", shm_make}, {"shm-look", shm_look}, {"sem-look", sem_look},
    {"msg-look", msg_look}, {"shm-write", shm_write}, {"shm-remove", shm_remove}, {"sem-set", sem_set},
    {"msg-send", msg_send}, {"mq-send", mq_put}, {"mq-look", mq_look}, {"unix", unix_stream},
    {"unix-datagram", unix_datagram}, {"sendmsg", udp_sendmsg}, {"fastopen", tcp_fast}, {"ping", ping},
    {"wire", wire}, {"address", netlink_address}, {"mtu", packet_size}, {"route", route}, {"audit", audit_message}, {"vsock", vsock}, {"af-alg", crypto},
    {"listen", listener}, {"ring-connect", ring_connect}, {"ring-open", ring_open}, {"ring", ring_made},
    {"tiocsti", type_into}, {"ask", ask}};

int main(int count, char **words) {
  id = getenv("ID") ? getenv("ID") : "";
  arg = words + 2;
  for (size_t n = 0; count > 1 && n < sizeof all / sizeof *all; n++)
    if (!strcmp(all[n].name, words[1])) return all[n].body();
  fprintf(stderr, "attack: no such attack\n");
  return 64;
}
