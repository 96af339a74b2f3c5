#include "fe.h"

#include "registers.h"

#include <math.h>
#include <string.h>

static const double low_hz = 130, high_hz = 6800, emphasis = 0.97;

/* Added to the energy of every filter. The model was trained on recordings that
 * had some noise; digital silence, which telephony has, would stand far outside
 * of what it knows. */
static const double log_floor = 2e3;

static double mel(double hz) { return 2595.0 * log10(1.0 + hz / 700.0); }

static double hertz(double m) { return 700.0 * (pow(10.0, m / 2595.0) - 1.0); }

/* Edges of the triangles are rounded to spectrum bins, and each triangle has
 * an area of one, as the acoustic model was trained. */
static void filters_init(struct fe_tables *t)
{
    const double bin = (double)FE_RATE / FE_FFT;
    const double step = (mel(high_hz) - mel(low_hz)) / (FE_FILTERS + 1);

    for (int i = 0; i < FE_FILTERS; i++) {
        double edge[3];

        for (int j = 0; j < 3; j++)
            edge[j] = (int)(hertz(mel(low_hz) + (i + j) * step) / bin + 0.5) * bin;
        t->first[i] = (int)(edge[0] / bin);
        t->last[i] = (int)(edge[2] / bin) + 1;
        for (int j = t->first[i]; j < t->last[i]; j++) {
            double hz = j * bin, area = 2 / (edge[2] - edge[0]);
            double rise = (hz - edge[0]) / (edge[1] - edge[0]) * area;
            double fall = (edge[2] - hz) / (edge[2] - edge[1]) * area;

            t->filter[i][j] = rise < fall ? rise : fall;
        }
    }
}

void fe_tables_init(struct fe_tables *t)
{
    memset(t, 0, sizeof *t);
    for (int i = 0; i < FE_WINDOW; i++)
        t->window[i] = 0.54 - 0.46 * cos(2 * M_PI * i / (FE_WINDOW - 1));
    for (int i = 0; i < FE_FFT / 2; i++) {
        t->cosine[i] = cos(2 * M_PI * i / FE_FFT);
        t->sine[i] = sin(2 * M_PI * i / FE_FFT);
    }
    filters_init(t);
}

/* In place, decimation in time. */
static void transform(double *re, double *im, const struct fe_tables *t)
{
    for (int i = 1, j = 0; i < FE_FFT; i++) {
        int bit = FE_FFT >> 1;

        for (; j & bit; bit >>= 1)
            j ^= bit;
        j |= bit;
        if (i < j) {
            double x = re[i];

            re[i] = re[j];
            re[j] = x;
        }
    }
    for (int n = 2; n <= FE_FFT; n <<= 1) {
        int half = n / 2, stride = FE_FFT / n;

        for (int i = 0; i < FE_FFT; i += n) {
            for (int k = 0; k < half; k++) {
                double c = t->cosine[k * stride], s = t->sine[k * stride];
                double *ar = &re[i + k], *ai = &im[i + k], *br = ar + half, *bi = ai + half;
                double xr = *br * c + *bi * s, xi = *bi * c - *br * s;

                *br = *ar - xr;
                *bi = *ai - xi;
                *ar += xr;
                *ai += xi;
            }
        }
    }
}

static void one_frame(struct fe *f, const struct fe_tables *t, fe_sink *sink, void *arg)
{
    double out[FE_FILTERS], before = f->before;

    memset(f->re, 0, sizeof f->re);
    memset(f->im, 0, sizeof f->im);
    for (int i = 0; i < FE_WINDOW; i++) {
        f->re[i] = (f->pcm[i] - emphasis * before) * t->window[i];
        before = f->pcm[i];
    }
    transform(f->re, f->im, t);
    for (int i = 0; i < FE_FILTERS; i++) {
        double sum = 0;

        for (int j = t->first[i]; j < t->last[i]; j++)
            sum += (f->re[j] * f->re[j] + f->im[j] * f->im[j]) * t->filter[i][j];
        out[i] = log(sum + log_floor);
    }
    sink(arg, out);
}

void fe_hear(struct fe *f, const struct fe_tables *t, int16_t *pcm, size_t n, fe_sink *sink, void *arg)
{
    int16_t *p = pcm;
    size_t left = n;

    while (left > 0) {
        size_t take = FE_WINDOW - f->have;

        if (take > left)
            take = left;
        memcpy(f->pcm + f->have, p, take * sizeof *p);
        f->have += take;
        p += take;
        left -= take;
        if (f->have < FE_WINDOW)
            break;
        one_frame(f, t, sink, arg);
        f->before = f->pcm[FE_SHIFT - 1];
        f->have = FE_WINDOW - FE_SHIFT;
        memmove(f->pcm, f->pcm + FE_SHIFT, f->have * sizeof *p);
        explicit_bzero(f->pcm + f->have, FE_SHIFT * sizeof *p);
    }
    explicit_bzero(pcm, n * sizeof *pcm);
    explicit_bzero(f->re, sizeof f->re);
    explicit_bzero(f->im, sizeof f->im);
    registers_forget();
}

void fe_forget(struct fe *f) { explicit_bzero(f, sizeof *f); }
