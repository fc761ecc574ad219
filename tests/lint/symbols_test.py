"""Nothing enters the machine but through its one door, and nothing below cli/ prints or exits.

What a library calls shows in its undefined symbols. A device that asked the host for a clock, bytes
or entropy would not replay.
"""

import tree

FILES = """open openat creat close read pread readv write pwrite writev lseek fopen fdopen freopen
    fclose fread fwrite fgets fgetc getc fputs fputc putc fseek ftell fflush fscanf fprintf vfprintf
    getline stat fstat lstat opendir readdir mkstemp tmpfile unlink ioctl fcntl dup dup2 pipe pipe2
    stdin stderr""".split()
CONSOLE = "stdout printf vprintf puts putchar perror getchar scanf".split()
ENDING = "exit _exit _Exit quick_exit atexit".split()
ABORTING = "abort __assert_fail raise kill".split()
CHANCE = """rand rand_r srand random srandom drand48 lrand48 mrand48 arc4random arc4random_buf
    getrandom getentropy""".split()
TIME = """time clock clock_gettime clock_getres gettimeofday times getrusage localtime localtime_r
    gmtime gmtime_r ctime sleep usleep nanosleep clock_nanosleep alarm setitimer timer_create
    timerfd_create""".split()
OUTSIDE = """socket connect bind listen accept accept4 send sendto sendmsg recv recvfrom recvmsg poll
    ppoll select pselect epoll_create epoll_create1 epoll_wait fork vfork execv execve execvp
    posix_spawn system popen getenv secure_getenv getpid gethostname uname signal sigaction
    pthread_create thrd_create syscall""".split()

PURE = set(FILES + CONSOLE + ENDING + ABORTING + CHANCE + TIME + OUTSIDE)
QUIET = set(CONSOLE + ENDING)

# folder -> what its code may not call
FORBIDDEN = {
    "base": QUIET,
    "rsp": PURE,
    "machine": PURE,
    "devices": PURE,
    "replay": QUIET | set(CHANCE),
    "checkpoints": QUIET | set(CHANCE),
    "timeline": QUIET | set(CHANCE),
    "server": QUIET,
}
# Images are configuration, read before the first step.
READING = """open close read pread lseek stat fstat fopen fdopen fclose fread fseek ftell""".split()
EXCEPTIONS = {("machine", "loader.c"): set(READING)}


def plain(symbol):
    """The name in the source: without version, large-file and fortification suffixes."""
    name = symbol.split("@")[0]
    if name.startswith("__isoc99_"):
        name = name.removeprefix("__isoc99_")
    if name.startswith("__") and name.endswith("_chk"):
        name = name.removeprefix("__").removesuffix("_chk")
    return name.removesuffix("64")


problems = []
for folder, forbidden in FORBIDDEN.items():
    library = tree.archive(folder)
    for member, symbol, kind, _ in tree.symbols(library) if library else ():
        name = plain(symbol)
        if kind in "Uw" and name in forbidden - EXCEPTIONS.get((folder, member), set()):
            problems.append(f"{folder}/{member}: calls {name}")
tree.finish(problems)
