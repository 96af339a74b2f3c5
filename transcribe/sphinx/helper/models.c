#include "models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sphinxbase/err.h>
#include <sphinxbase/ngram_model.h>

enum { MAX_OPTIONS = 128, MAX_LINE = 4096 };

struct loading {
    struct models *m;
    char *option[MAX_OPTIONS];
    int options;
    float stock_share;
    ngram_model_t *stock;
};

static const char *load_band(struct loading *l, const char *name, const char *hmm, const char *file)
{
    int band = strcmp(name, "narrow") == 0 ? NARROW : WIDE;
    char *arg[MAX_OPTIONS + 4];
    cmd_ln_t *config;
    int n = 0;

    cep_band_cosine(&l->m->band[band]);
    if (cep_band_read(&l->m->band[band], file) != 0)
        return "the band's map cannot be read";
    arg[n++] = (char *)"lethe-sphinx";
    for (int i = 0; i < l->options; i++)
        arg[n++] = l->option[i];
    arg[n++] = (char *)"-hmm";
    arg[n++] = (char *)hmm;
    config = cmd_ln_parse_r(NULL, ps_args(), n, arg, TRUE);
    if (config == NULL)
        return "an option is not pocketsphinx's";
    l->m->decoder[band] = ps_init(config);
    cmd_ln_free_r(config);
    return l->m->decoder[band] == NULL ? "the acoustic model or the dictionary cannot be read" : NULL;
}

static const char *load_stock(struct loading *l, const char *path)
{
    ps_decoder_t *ps = l->m->decoder[NARROW];

    if (ps == NULL || l->m->decoder[WIDE] == NULL)
        return "a band is missing";
    l->stock = ngram_model_read(ps_get_config(ps), path, NGRAM_AUTO, ps_get_logmath(ps));
    return l->stock == NULL ? "the language model cannot be read" : NULL;
}

/* Open speech gets a second pass, for which the decoder has to keep the features
 * of an utterance: it does what the search that was made last needs. */
static const char *load_open(struct loading *l)
{
    for (int b = 0; b < BANDS; b++) {
        ps_decoder_t *ps = l->m->decoder[b];

        cmd_ln_set_boolean_r(ps_get_config(ps), "-fwdflat", TRUE);
        if (ps_set_lm(ps, "open", l->stock) != 0)
            return "the language model cannot be searched";
    }
    return NULL;
}

/* Two searches: "0" has both models in one set, where each word takes the sum of
 * what they give it, so that what the vocabulary does not know is still heard;
 * "0own" has the vocabulary's alone. */
static const char *load_vocabulary(struct loading *l, const char *path)
{
    char *names[] = {(char *)"stock", (char *)"own"};
    char name[16], own[24];
    float32 share[] = {l->stock_share, 1 - l->stock_share};

    if (l->stock == NULL)
        return "the language model is missing";
    snprintf(name, sizeof name, "%d", l->m->vocabularies++);
    snprintf(own, sizeof own, "%sown", name);
    for (int b = 0; b < BANDS; b++) {
        ps_decoder_t *ps = l->m->decoder[b];
        ngram_model_t *pair[] = {l->stock, ngram_model_read(ps_get_config(ps), path, NGRAM_AUTO, ps_get_logmath(ps))};
        ngram_model_t *set;

        /* The vocabulary's own search is a second pass. */
        cmd_ln_set_boolean_r(ps_get_config(ps), "-fwdflat", FALSE);
        if (pair[1] == NULL)
            return "the vocabulary's language model cannot be read";
        set = ngram_model_set_init(ps_get_config(ps), pair, names, share, 2);
        if (set == NULL || ps_set_lm(ps, name, set) != 0 || ps_set_lm(ps, own, pair[1]) != 0)
            return "the vocabulary cannot be searched";
    }
    return NULL;
}

static const char *load_option(struct loading *l, const char *name, const char *value)
{
    if (l->options + 2 > MAX_OPTIONS)
        return "too many options";
    if ((l->option[l->options++] = strdup(name)) == NULL || (l->option[l->options++] = strdup(value)) == NULL)
        return "no memory";
    return NULL;
}

static const char *one_line(struct loading *l, char *line)
{
    char *save = NULL;
    const char *word[4] = {NULL};
    int n = 0;

    for (char *p = strtok_r(line, "\t\n", &save); p != NULL && n < 4; p = strtok_r(NULL, "\t\n", &save))
        word[n++] = p;
    if (n == 3 && strcmp(word[0], "option") == 0)
        return load_option(l, word[1], word[2]);
    if (n == 4 && strcmp(word[0], "band") == 0)
        return load_band(l, word[1], word[2], word[3]);
    if (n == 2 && strcmp(word[0], "stock") == 0)
        return load_stock(l, word[1]);
    if (n == 2 && strcmp(word[0], "weight") == 0) {
        l->stock_share = strtof(word[1], NULL);
        return NULL;
    }
    if (n == 2 && strcmp(word[0], "vocabulary") == 0)
        return load_vocabulary(l, word[1]);
    return "a line of the set-up file is not understood";
}

const char *models_load(struct models *m, const char *path)
{
    struct loading l = {.m = m, .stock_share = 0.5F};
    const char *wrong = NULL;
    char line[MAX_LINE];
    FILE *f = fopen(path, "r");

    if (f == NULL)
        return "the set-up file cannot be opened";
    memset(m, 0, sizeof *m);
    fe_tables_init(&m->tables);
    while (wrong == NULL && fgets(line, sizeof line, f) != NULL)
        wrong = one_line(&l, line);
    for (int i = 0; i < l.options; i++)
        free(l.option[i]);
    if (fclose(f) != 0 && wrong == NULL)
        wrong = "the set-up file cannot be read";
    if (wrong == NULL && (m->decoder[NARROW] == NULL || m->decoder[WIDE] == NULL || l.stock == NULL))
        wrong = "the set-up file is not complete";
    if (wrong == NULL)
        wrong = load_open(&l);
    return wrong;
}
