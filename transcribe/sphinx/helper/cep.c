#include "cep.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double lifter = 22;

void cep_band_cosine(struct cep_band *b)
{
    memset(b, 0, sizeof *b);
    for (int i = 0; i < CEP; i++) {
        double scale = i == 0 ? sqrt(1.0 / FE_FILTERS) : sqrt(2.0 / FE_FILTERS);

        scale *= 1 + lifter / 2 * sin(i * M_PI / lifter);
        for (int j = 0; j < FE_FILTERS; j++)
            b->map[i][j] = scale * cos(M_PI / FE_FILTERS * i * (j + 0.5));
    }
}

int cep_band_read(struct cep_band *b, const char *path)
{
    FILE *f = fopen(path, "r");
    double *field[] = {b->mean, b->offset, &b->map[0][0]};
    const int count[] = {CEP, CEP, CEP * FE_FILTERS};
    int bad = 0;

    if (f == NULL)
        return -1;
    for (int k = 0; k < 3 && !bad; k++)
        for (int i = 0; i < count[k] && !bad; i++)
            bad = fscanf(f, "%lf", &field[k][i]) != 1 || !isfinite(field[k][i]);
    return fclose(f) != 0 || bad ? -1 : 0;
}

void cep_of(const struct cep_band *b, const double mel[FE_FILTERS], float out[CEP])
{
    for (int i = 0; i < CEP; i++) {
        double sum = b->offset[i];

        for (int j = 0; j < FE_FILTERS; j++)
            sum += b->map[i][j] * mel[j];
        out[i] = (float)sum;
    }
}

void cep_mean_start(struct cep_mean *m, const struct cep_band *b, double prior)
{
    m->weight = prior;
    for (int i = 0; i < CEP; i++)
        m->sum[i] = b->mean[i] * prior;
}

void cep_mean_hear(struct cep_mean *m, const float c[CEP], double horizon)
{
    double keep = m->weight + 1 > horizon ? horizon / (m->weight + 1) : 1;

    for (int i = 0; i < CEP; i++)
        m->sum[i] = (m->sum[i] + c[i]) * keep;
    m->weight = (m->weight + 1) * keep;
}

void cep_mean_take(const struct cep_mean *m, const float in[CEP], float out[CEP])
{
    for (int i = 0; i < CEP; i++)
        out[i] = in[i] - (float)(m->sum[i] / m->weight);
}
