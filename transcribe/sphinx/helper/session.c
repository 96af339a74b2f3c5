#include "session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ear.h"

enum {
    LOOK = 60,       /* frames that are awaited to know the speaker's mean */
    PRIOR = 40,      /* frames that the band's mean counts for in a fresh call */
    HORIZON = 600,   /* frames after which what was heard is forgotten */
    STEP = 5,        /* frames given to the search at once */
    TELL = 20,       /* frames between partials */
    LONGEST = 3000,  /* frames of an utterance, which then is cut */
    MAX_TEXT = 4000, /* bytes of a message */
    NICER = 5,
};

/* One utterance at a time. frames counts those that the search was given;
 * first holds those that wait for the mean. */
struct session {
    int fd;
    ps_decoder_t *ps;
    struct ear *ear;
    struct cep_mean mean;
    struct heard first[LOOK];
    int waiting, frames, told, started;
    int before; /* frames of this utterance that were cut off already */
    char said[MAX_TEXT];
};

static int is_word(const char *w) { return w[0] != '<' && w[0] != '[' && w[0] != '+'; }

/* Start and end of the words, and how well their frames were matched. */
static double measure(ps_decoder_t *ps, int *start, int *end)
{
    double score = 0;
    int frames = 0;

    *start = -1;
    *end = 0;
    for (ps_seg_t *s = ps_seg_iter(ps); s != NULL; s = ps_seg_next(s)) {
        int from, to;
        int32 acoustic, lm, back;

        if (!is_word(ps_seg_word(s)))
            continue;
        ps_seg_frames(s, &from, &to);
        (void)ps_seg_prob(s, &acoustic, &lm, &back);
        if (*start < 0)
            *start = from;
        *end = to + 1;
        score += acoustic;
        frames += to + 1 - from;
    }
    if (*start < 0)
        *start = 0;
    return frames > 0 ? score / frames : 0;
}

static void tell(struct session *s, char kind)
{
    char line[MAX_TEXT + 128];
    const char *text = s->frames > 0 ? ps_get_hyp(s->ps, NULL) : NULL;
    int start = 0, end = 0, n;
    double score = 0, posterior = 1;

    if (text == NULL)
        text = "";
    if (kind == 'P' && (*text == 0 || strncmp(text, s->said, sizeof s->said - 1) == 0))
        return;
    if (*text != 0) {
        if (kind != 'P')
            posterior = exp(ps_get_prob(s->ps) * log(logmath_get_base(ps_get_logmath(s->ps))));
        score = measure(s->ps, &start, &end);
    }
    snprintf(s->said, sizeof s->said, "%s", text);
    n = snprintf(line, sizeof line, "%c %d %d %.2f %.4f %s", kind, s->before + start, s->before + end, score, posterior, s->said);
    ear_say(s->fd, line, (size_t)n);
}

static void search(struct session *s, struct heard *h, int n)
{
    float cep[STEP][CEP];
    mfcc_t *row[STEP];

    if (!s->started) {
        if (ps_start_utt(s->ps) != 0)
            abort();
        s->started = 1;
    }
    for (int i = 0; i < n; i += STEP) {
        int m = n - i < STEP ? n - i : STEP;

        for (int j = 0; j < m; j++) {
            cep_mean_take(&s->mean, h[i + j].cep, cep[j]);
            row[j] = cep[j];
        }
        if (ps_process_cep(s->ps, row, m, FALSE, FALSE) < 0)
            abort(); /* lethe replaces this child */
        s->frames += m;
    }
}

static void finish(struct session *s, char kind)
{
    if (s->waiting > 0)
        search(s, s->first, s->waiting);
    if (s->started && ps_end_utt(s->ps) != 0)
        abort();
    tell(s, kind);
    s->before = kind == 'C' ? s->before + s->frames : 0;
    s->waiting = s->frames = s->told = s->started = 0;
    s->said[0] = 0;
}

static void hear(struct session *s, struct heard *h)
{
    cep_mean_hear(&s->mean, h->cep, HORIZON);
    if (s->frames > 0) {
        search(s, h, 1);
        return;
    }
    s->first[s->waiting++] = *h;
    if (s->waiting == LOOK) {
        search(s, s->first, LOOK);
        s->waiting = 0;
    }
}

_Noreturn void session_run(struct models *m, int band, int vocabulary, int fd)
{
    struct session *s = calloc(1, sizeof *s);
    struct heard h[STEP];
    char name[16] = "open";

    if (vocabulary >= 0)
        snprintf(name, sizeof name, "%d", vocabulary);
    if (s == NULL || ps_set_search(m->decoder[band], name) != 0)
        _exit(1);
    s->fd = fd;
    s->ps = m->decoder[band];
    cep_mean_start(&s->mean, &m->band[band], PRIOR);
    s->ear = ear_start(fd, &m->tables, &m->band[band]);
    if (s->ear == NULL)
        _exit(1);
    (void)!nice(NICER); /* this thread alone: text may come late, hearing must not */
    ear_say(fd, "H", 1);
    for (;;) {
        int n = ear_take(s->ear, h, STEP);

        for (int i = 0; i < n; i++) {
            if (h[i].end) {
                finish(s, 'F');
                continue;
            }
            hear(s, &h[i]);
            if (s->frames >= LONGEST)
                finish(s, 'C');
        }
        if (s->frames >= s->told + TELL && ear_empty(s->ear)) {
            s->told = s->frames;
            tell(s, 'P');
        }
    }
}
