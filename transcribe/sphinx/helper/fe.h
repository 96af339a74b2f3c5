/*
 * fe: PCM to log mel energies, the only place of the helper where audio lies.
 *
 * The same signal processing as sphinxbase's front end (pre-emphasis, Hamming
 * window of 25.6 ms every 10 ms, 512-point spectrum, 25 mel filters from 130
 * to 6800 Hz), written again because sphinxbase keeps samples in heap buffers
 * that cannot be wiped. Everything that holds audio is in struct fe, which its
 * owner puts into memory that is locked and left out of core dumps.
 */
#ifndef LETHE_FE_H
#define LETHE_FE_H

#include <stddef.h>
#include <stdint.h>

enum {
    FE_RATE = 16000,  /* Hz */
    FE_SHIFT = 160,   /* samples between frames: 10 ms */
    FE_WINDOW = 410,  /* samples of a frame: 25.6 ms */
    FE_FFT = 512,
    FE_FILTERS = 25,
};

/* What is the same for every session: computed once, before the first fork. */
struct fe_tables {
    double window[FE_WINDOW];
    double cosine[FE_FFT / 2], sine[FE_FFT / 2];
    double filter[FE_FILTERS][FE_FFT / 2 + 1];
    int first[FE_FILTERS], last[FE_FILTERS]; /* bins, last is excluded */
};

/* What holds audio. have samples of pcm are the start of the next frame. */
struct fe {
    int16_t pcm[FE_WINDOW];
    int16_t before; /* the sample before pcm[0], for the pre-emphasis */
    size_t have;
    double re[FE_FFT], im[FE_FFT];
};

/* fe_sink is given one frame's log mel energies. */
typedef void fe_sink(void *arg, const double mel[FE_FILTERS]);

void fe_tables_init(struct fe_tables *t);

/* fe_hear consumes n samples and wipes them: what fe keeps is less than one
 * window, 25.6 ms. */
void fe_hear(struct fe *f, const struct fe_tables *t, int16_t *pcm, size_t n, fe_sink *sink, void *arg);

/* fe_forget wipes what is left of the utterance. */
void fe_forget(struct fe *f);

#endif
