/*
 * ear: the thread that hears. It takes PCM from the socket into locked memory,
 * makes cepstra of it, wipes it and acknowledges, all within a millisecond or
 * so, however far behind the search is. What waits for the search are cepstra:
 * no audio.
 */
#ifndef LETHE_EAR_H
#define LETHE_EAR_H

#include "cep.h"
#include "fe.h"

/* One frame of an utterance, or its end. */
struct heard {
    float cep[CEP];
    int end;
};

struct ear;

/* ear_start maps the locked memory and starts the thread. NULL if it cannot. */
struct ear *ear_start(int fd, const struct fe_tables *t, const struct cep_band *b);

/* ear_take waits for up to max frames; an end is the last of what it gives. */
int ear_take(struct ear *e, struct heard *out, int max);

/* ear_empty says whether nothing waits. */
int ear_empty(struct ear *e);

/* ear_say sends one message to lethe. The process ends when nobody listens. */
void ear_say(int fd, const char *text, size_t n);

#endif
