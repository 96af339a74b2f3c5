/*
 * lethe-flite reads text on standard input, speaks it with one of flite's
 * voices and writes the audio on standard output. One process speaks for one
 * call at a time; it ends when its input does.
 *
 * Start:     it writes "LFL1" and the voice's sample rate, as 32 bits.
 * Request:   'S', length (32 bits), that many bytes of UTF-8: speak a sentence.
 *            'X': stop what is being spoken; without effect when nothing is.
 * Answer:    length (32 bits) and that many bytes of 16-bit linear PCM, again
 *            and again, until a length of 0 ends the sentence. A length with all
 *            bits set says that the sentence could not be spoken.
 * Numbers and samples are little-endian, as the machine is.
 *
 * Text is never an argument, is never printed, and is wiped when it was spoken.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <flite/flite.h>

#if __BYTE_ORDER != __LITTLE_ENDIAN
#error "lethe-flite speaks little-endian"
#endif

cst_voice *register_cmu_us_slt(const char *voxdir);
cst_voice *register_cmu_us_awb(const char *voxdir);
cst_voice *register_cmu_us_rms(const char *voxdir);
cst_voice *register_cmu_us_kal(const char *voxdir);
cst_voice *register_cmu_us_kal16(const char *voxdir);

enum {
	max_text = 4096, /* bytes of one sentence */
	chunk = 320,     /* samples handed to flite's streaming at least */
	quiet = 96,      /* samples below this are the silence before a sentence */
	lead = 160,      /* samples of that silence that are kept */
};
static const uint32_t failed = UINT32_MAX;

struct speech {
	int begun;   /* the silence at the start is over */
	int stopped; /* an 'X' was read, or the other side is gone */
	int gone;
};

static int write_all(const void *data, size_t n)
{
	const char *p = data;
	while (n > 0) {
		ssize_t w = write(STDOUT_FILENO, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* read_all returns 1, or 0 at the end of the input, or -1. */
static int read_all(void *data, size_t n)
{
	char *p = data;
	while (n > 0) {
		ssize_t r = read(STDIN_FILENO, p, n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return (int)r;
		p += r;
		n -= (size_t)r;
	}
	return 1;
}

/* told_to_stop looks whether something was said while we speak: it can only be
 * 'X', or the end. */
static int told_to_stop(struct speech *s)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char op;
	if (poll(&p, 1, 0) <= 0)
		return 0;
	s->stopped = 1;
	if (read_all(&op, 1) != 1 || op != 'X')
		s->gone = 1;
	return 1;
}

/* hear is flite's: size samples from start on are ready. */
static int hear(const cst_wave *w, int start, int size, int last, cst_audio_streaming_info *asi)
{
	struct speech *s = asi->userdata;
	const short *pcm = w->samples + start;
	uint32_t bytes;
	(void)last;
	if (s->stopped || told_to_stop(s))
		return CST_AUDIO_STREAM_STOP;
	if (!s->begun) {
		int i = 0;
		while (i < size && pcm[i] < quiet && pcm[i] > -quiet)
			i++;
		if (i == size)
			return CST_AUDIO_STREAM_CONT;
		s->begun = 1;
		i = i > lead ? i - lead : 0;
		pcm += i;
		size -= i;
	}
	if (size <= 0)
		return CST_AUDIO_STREAM_CONT;
	bytes = (uint32_t)size * sizeof *pcm;
	if (write_all(&bytes, sizeof bytes) || write_all(pcm, bytes)) {
		s->stopped = s->gone = 1;
		return CST_AUDIO_STREAM_STOP;
	}
	return CST_AUDIO_STREAM_CONT;
}

/* speak returns 0, or -1 when the other side is gone. */
static int speak(cst_voice *voice, const char *text, struct speech *s)
{
	uint32_t end = 0;
	cst_utterance *u;
	memset(s, 0, sizeof *s);
	u = flite_synth_text(text, voice);
	if (u)
		delete_utterance(u);
	else
		end = failed;
	malloc_trim(0); /* a waiting helper is small */
	if (s->gone)
		return -1;
	return write_all(&end, sizeof end);
}

/* serve reads requests until the input ends. */
static int serve(cst_voice *voice, struct speech *s)
{
	static char text[max_text + 1];
	for (;;) {
		uint32_t n;
		char op;
		int r = read_all(&op, 1);
		if (r <= 0)
			return r;
		if (op == 'X')
			continue;
		if (op != 'S' || read_all(&n, sizeof n) != 1 || n > max_text || (n > 0 && read_all(text, n) != 1)) {
			fputs("lethe-flite: the request is not understood\n", stderr);
			return -1;
		}
		text[n] = 0;
		r = speak(voice, text, s);
		explicit_bzero(text, n);
		if (r)
			return 0;
	}
}

static cst_voice *choose(const char *name)
{
	if (!strcmp(name, "slt"))
		return register_cmu_us_slt(NULL);
	if (!strcmp(name, "awb"))
		return register_cmu_us_awb(NULL);
	if (!strcmp(name, "rms"))
		return register_cmu_us_rms(NULL);
	if (!strcmp(name, "kal"))
		return register_cmu_us_kal(NULL);
	if (!strcmp(name, "kal16"))
		return register_cmu_us_kal16(NULL);
	return NULL;
}

int main(int argc, char **argv)
{
	struct speech s;
	cst_voice *voice;
	cst_audio_streaming_info *asi;
	uint32_t rate;
	const char *name = argc > 1 ? argv[1] : "slt";

	if (argc > 2 || name[0] == '-') {
		fputs("usage: lethe-flite [slt|awb|rms|kal|kal16]\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	flite_init();
	voice = choose(name);
	if (!voice) {
		fputs("lethe-flite: no such voice: choose slt, awb, rms, kal or kal16\n", stderr);
		return 2;
	}
	asi = new_audio_streaming_info();
	if (!asi)
		return 1;
	asi->min_buffsize = chunk;
	asi->asc = hear;
	asi->userdata = &s;
	feat_set(voice->features, "streaming_info", audio_streaming_info_val(asi));
	rate = (uint32_t)get_param_int(voice->features, "sample_rate", strcmp(name, "kal") ? 16000 : 8000);
	if (write_all("LFL1", 4) || write_all(&rate, sizeof rate))
		return 1;
	return serve(voice, &s) ? 1 : 0;
}
