#include "session.h"

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
    MAX_TEXT = 4000, /* bytes of what was heard */
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
    const char *both, *own; /* names of searches; own is NULL without a vocabulary */
    float cep[LONGEST + LOOK][CEP]; /* of the utterance, the mean taken */
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

/* How well the whole path fits, per frame. */
static double fit(struct session *s)
{
    double sum = 0;

    for (ps_seg_t *g = ps_seg_iter(s->ps); g != NULL; g = ps_seg_next(g)) {
        int32 acoustic, lm, back;

        (void)ps_seg_prob(g, &acoustic, &lm, &back);
        sum += acoustic;
    }
    return sum / s->frames;
}

/* The same utterance once more, by the vocabulary alone: that search is small,
 * so it takes a twentieth of the utterance's time. */
static double again(struct session *s, char own[MAX_TEXT])
{
    double margin = fit(s);
    const char *text;

    if (ps_set_search(s->ps, s->own) != 0 || ps_start_utt(s->ps) != 0)
        abort();
    for (int i = 0; i < s->frames; i += STEP) {
        mfcc_t *row[STEP];
        int m = s->frames - i < STEP ? s->frames - i : STEP;

        for (int j = 0; j < m; j++)
            row[j] = s->cep[i + j];
        if (ps_process_cep(s->ps, row, m, FALSE, FALSE) < 0)
            abort();
    }
    if (ps_end_utt(s->ps) != 0)
        abort();
    text = ps_get_hyp(s->ps, NULL);
    snprintf(own, MAX_TEXT, "%s", text != NULL ? text : "");
    margin -= fit(s);
    if (ps_set_search(s->ps, s->both) != 0)
        abort();
    return margin;
}

static void tell(struct session *s, char kind)
{
    char line[2 * MAX_TEXT + 128], own[MAX_TEXT] = "";
    const char *text = s->frames > 0 ? ps_get_hyp(s->ps, NULL) : NULL;
    int start = 0, end = 0, n;
    double score = 0, margin = 0;

    if (text == NULL)
        text = "";
    if (kind == 'P' && (*text == 0 || strncmp(text, s->said, sizeof s->said - 1) == 0))
        return;
    snprintf(s->said, sizeof s->said, "%s", text);
    if (s->frames > 0)
        score = measure(s->ps, &start, &end);
    if (s->frames > 0 && kind != 'P' && s->own != NULL)
        margin = again(s, own);
    n = snprintf(line, sizeof line, "%c %d %d %.2f %.2f %s\t%s", kind, s->before + start, s->before + end, score, margin, s->said, own);
    ear_say(s->fd, line, (size_t)n);
}

static void search(struct session *s, struct heard *h, int n)
{
    mfcc_t *row[STEP];

    if (!s->started) {
        if (ps_start_utt(s->ps) != 0)
            abort();
        s->started = 1;
    }
    for (int i = 0; i < n; i += STEP) {
        int m = n - i < STEP ? n - i : STEP;

        for (int j = 0; j < m; j++) {
            row[j] = s->cep[s->frames + j];
            cep_mean_take(&s->mean, h[i + j].cep, row[j]);
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
    char both[16] = "open", own[24];

    if (vocabulary >= 0)
        snprintf(both, sizeof both, "%d", vocabulary);
    snprintf(own, sizeof own, "%sown", both);
    if (s == NULL || ps_set_search(m->decoder[band], both) != 0)
        _exit(1);
    s->both = both;
    s->own = vocabulary >= 0 ? own : NULL;
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
