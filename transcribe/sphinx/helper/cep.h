/*
 * cep: log mel energies to the 13 cepstra that the acoustic model knows.
 *
 * A band says how: an affine map and the mean at which a fresh session starts.
 * The wide band's map is the plain cosine transform. The narrow band's map
 * looks only at filters below 3.4 kHz, which is all that G.711 carries.
 */
#ifndef LETHE_CEP_H
#define LETHE_CEP_H

#include "fe.h"

enum { CEP = 13 };

struct cep_band {
    double map[CEP][FE_FILTERS];
    double offset[CEP];
    double mean[CEP];
};

/* The mean of what was heard: starts at the band's, as if that had been heard
 * for prior frames, and forgets what is older than some seconds. */
struct cep_mean {
    double sum[CEP], weight;
};

/* cep_band_cosine is the transform that the model was trained with. */
void cep_band_cosine(struct cep_band *b);

/* cep_band_read reads a band from a text file of 13 + 13 + 325 numbers (mean,
 * offset, map row by row). It returns 0, or -1. */
int cep_band_read(struct cep_band *b, const char *path);

void cep_of(const struct cep_band *b, const double mel[FE_FILTERS], float out[CEP]);

void cep_mean_start(struct cep_mean *m, const struct cep_band *b, double prior);

void cep_mean_hear(struct cep_mean *m, const float c[CEP], double horizon);

void cep_mean_take(const struct cep_mean *m, const float in[CEP], float out[CEP]);

#endif
