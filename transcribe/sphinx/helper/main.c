/*
 * lethe-sphinx: pocketsphinx for lethe.
 *
 * This process loads the models once and never sees audio. For each call (or
 * what a crash left of it) it forks a child, to which lethe speaks over a
 * socket of its own: see session.h. When the call ends the child ends, and its
 * memory with it.
 *
 * usage: lethe-sphinx SET-UP-FILE, with a SOCK_SEQPACKET socket as descriptor
 * 3. Messages from lethe: "O ID BAND VOCABULARY" with the child's socket as
 * ancillary data; "K ID" kills a child. To lethe: "R" once loaded, or "W TEXT"
 * and the end. That a child ended, or could not be made, shows on its socket.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sphinxbase/err.h>

#include "session.h"

enum { CONTROL = 3, MAX_CHILDREN = 4096 };

struct child {
    pid_t pid;
    long id;
};

static struct child children[MAX_CHILDREN];
static int child_count;

static void say(const char *text)
{
    while (send(CONTROL, text, strlen(text), MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            exit(0);
}

static void reap(void)
{
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
        for (int i = 0; i < child_count; i++) {
            if (children[i].pid != pid)
                continue;
            children[i] = children[--child_count];
            break;
        }
    }
}

static void kill_child(long id)
{
    for (int i = 0; i < child_count; i++)
        if (children[i].id == id)
            (void)kill(children[i].pid, SIGKILL); /* not reaped yet: the pid is its own */
}

/* In the child: nothing of the parent's but the models. */
static _Noreturn void be_child(struct models *m, int band, int vocabulary, int fd, int signals, pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(1);
    (void)close(CONTROL);
    (void)close(signals);
    session_run(m, band, vocabulary, fd);
}

static void open_child(struct models *m, long id, int band, int vocabulary, int fd, int signals)
{
    pid_t parent = getpid(), pid = -1;

    if (fd >= 0 && child_count < MAX_CHILDREN && band >= 0 && band < BANDS && vocabulary < m->vocabularies)
        pid = fork();
    if (pid == 0)
        be_child(m, band, vocabulary, fd, signals, parent);
    if (fd >= 0)
        (void)close(fd);
    if (pid > 0)
        children[child_count++] = (struct child){pid, id};
}

/* One message of lethe's, and the descriptor that came with it (or -1). It
 * returns 0 when lethe is gone. */
static int next(char *line, size_t size, int *fd)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } extra;
    struct iovec part = {line, size - 1};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &extra, .msg_controllen = sizeof extra};
    ssize_t n = recvmsg(CONTROL, &msg, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

    *fd = -1;
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    line[n > 0 ? n : 0] = 0;
    return n > 0 || (n < 0 && errno == EINTR);
}

static void serve(struct models *m, int signals)
{
    struct pollfd poll_on[] = {{.fd = CONTROL, .events = POLLIN}, {.fd = signals, .events = POLLIN}};

    for (;;) {
        struct signalfd_siginfo info;
        char line[128];
        long id;
        int fd, band, vocabulary;

        if (poll(poll_on, 2, -1) < 0 && errno != EINTR)
            return;
        if (poll_on[1].revents != 0 && read(signals, &info, sizeof info) > 0)
            reap();
        if (poll_on[0].revents == 0)
            continue;
        if (!next(line, sizeof line, &fd))
            return;
        if (sscanf(line, "O %ld %d %d", &id, &band, &vocabulary) == 3)
            open_child(m, id, band, vocabulary, fd, signals);
        else if (sscanf(line, "K %ld", &id) == 1)
            kill_child(id);
    }
}

int main(int argc, char **argv)
{
    static struct models m;
    const char *wrong;
    sigset_t watched;
    int signals;

    if (argc != 2) {
        fprintf(stderr, "lethe-sphinx: started by lethe, not by hand\n");
        return 2;
    }
    err_set_logfp(NULL); /* it would write out what was recognised */
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &watched, NULL) != 0 || (signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return 1;
    wrong = models_load(&m, argv[1]);
    if (wrong != NULL) {
        char line[256];

        snprintf(line, sizeof line, "W %s", wrong);
        say(line);
        return 1;
    }
    say("R");
    serve(&m, signals);
    return 0; /* the children are killed by PR_SET_PDEATHSIG */
}
