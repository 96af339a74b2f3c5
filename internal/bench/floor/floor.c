/* The floor: the least a program that takes and gives 50 packets a second per
 * call can cost when it is written the usual way: epoll, a socket per call, a
 * packet sent for every packet received. It does nothing with the audio.
 *
 * floor CALLS prints the port of each socket on a line of its own, and runs
 * until its input ends. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int die(const char *what)
{
	perror(what);
	return 1;
}

static int open_call(int epoll)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof a;
	struct epoll_event e = {.events = EPOLLIN};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	e.data.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (e.data.fd < 0 || bind(e.data.fd, (struct sockaddr *)&a, sizeof a) ||
	    getsockname(e.data.fd, (struct sockaddr *)&a, &len) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e))
		return -1;
	printf("%d\n", ntohs(a.sin_port));
	return 0;
}

int main(int argc, char **argv)
{
	struct epoll_event ready[256], input = {.events = EPOLLIN, .data.fd = 0};
	unsigned char packet[1500];
	int epoll = epoll_create1(0), calls = argc > 1 ? atoi(argv[1]) : 0;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input))
		return die("epoll");
	for (int i = 0; i < calls; i++)
		if (open_call(epoll))
			return die("socket");
	if (fflush(stdout))
		return die("stdout");
	for (;;) {
		int n = epoll_wait(epoll, ready, 256, -1);

		for (int i = 0; i < n; i++) {
			struct sockaddr_in from;
			socklen_t len = sizeof from;
			ssize_t got;

			if (ready[i].data.fd == 0)
				return 0;
			got = recvfrom(ready[i].data.fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &len);
			if (got > 0)
				sendto(ready[i].data.fd, packet, (size_t)got, 0, (struct sockaddr *)&from, len);
		}
	}
}
