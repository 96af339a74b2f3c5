/*
 * models: what is loaded once, before the first fork, and shared by every
 * child: two decoders (one for each band) that know every vocabulary.
 */
#ifndef LETHE_MODELS_H
#define LETHE_MODELS_H

#include <pocketsphinx.h>

#include "cep.h"
#include "fe.h"

enum { NARROW, WIDE, BANDS };

struct models {
    struct fe_tables tables;
    struct cep_band band[BANDS];
    ps_decoder_t *decoder[BANDS];
    int vocabularies; /* named "0", "1", ... and "0own", ...; "open" has none */
};

/* models_load reads the file that lethe wrote, whose lines are
 *
 *     option -NAME VALUE            of pocketsphinx
 *     band narrow|wide HMM [FILE]   model folder; map and mean
 *     stock LM                      the language model of open speech
 *     weight F                      the stock model's share beside a vocabulary
 *     vocabulary LM                 the next vocabulary
 *
 * in that order. It returns NULL, or what is wrong. */
const char *models_load(struct models *m, const char *path);

#endif
