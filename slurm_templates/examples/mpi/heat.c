/* Heat spreading along a rod, shared out over MPI ranks, with a check against the exact answer.
 *
 * The rod has fixed cold ends and starts as one sine wave, for which the heat equation has an exact solution: every
 * step multiplies it by the same factor. A rank that lost or mixed up its neighbours' values could not hide it.
 * usage: heat [REPORTS [SECONDS_PER_REPORT]]
 */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { POINTS = 20000, STEPS_PER_REPORT = 100 };

static const double PI = 3.14159265358979323846;

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int rank, ranks, length;
    char host[MPI_MAX_PROCESSOR_NAME];
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Get_processor_name(host, &length);
    const int reports = argc > 1 ? atoi(argv[1]) : 10;
    const double pause = argc > 2 ? atof(argv[2]) : 0.0;

    /* Say who takes part, one after the other. */
    for (int turn = 0; turn < ranks; turn++) {
        char line[MPI_MAX_PROCESSOR_NAME + 64] = "";
        if (turn == rank) snprintf(line, sizeof line, "rank %d of %d on %s", rank, ranks, host);
        if (turn != 0 && rank == turn) MPI_Send(line, sizeof line, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
        if (rank == 0) {
            if (turn != 0) MPI_Recv(line, sizeof line, MPI_CHAR, turn, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            printf("%s\n", line);
        }
    }
    fflush(stdout);

    const int first = (int)((long)POINTS * rank / ranks), last = (int)((long)POINTS * (rank + 1) / ranks);
    const int mine = last - first;
    const double width = 1.0 / (POINTS + 1), r = 0.25; /* r = dt / dx^2: stable below 0.5 */
    double *now = calloc(mine + 2, sizeof *now), *next = calloc(mine + 2, sizeof *next);
    for (int i = 1; i <= mine; i++) now[i] = sin(PI * (first + i) * width);
    const int left = rank > 0 ? rank - 1 : MPI_PROC_NULL, right = rank < ranks - 1 ? rank + 1 : MPI_PROC_NULL;
    const double factor = 1.0 - 4.0 * r * pow(sin(PI * width / 2.0), 2.0); /* exact, also for the discrete rod */

    double worst = 0.0, amplitude = 1.0;
    for (int report = 1; report <= reports; report++) {
        for (int step = 0; step < STEPS_PER_REPORT; step++) {
            MPI_Sendrecv(&now[1], 1, MPI_DOUBLE, left, 1, &now[mine + 1], 1, MPI_DOUBLE, right, 1, MPI_COMM_WORLD,
                         MPI_STATUS_IGNORE);
            MPI_Sendrecv(&now[mine], 1, MPI_DOUBLE, right, 2, &now[0], 1, MPI_DOUBLE, left, 2, MPI_COMM_WORLD,
                         MPI_STATUS_IGNORE);
            for (int i = 1; i <= mine; i++) next[i] = now[i] + r * (now[i - 1] - 2.0 * now[i] + now[i + 1]);
            double *swap = now;
            now = next;
            next = swap;
            amplitude *= factor;
        }
        double error = 0.0;
        for (int i = 1; i <= mine; i++) {
            double off = fabs(now[i] - amplitude * sin(PI * (first + i) * width));
            if (off > error) error = off;
        }
        MPI_Reduce(&error, &worst, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
        if (rank == 0) {
            printf("::progress %.2f after %d steps the error is %.1e\n", (double)report / reports,
                   report * STEPS_PER_REPORT, worst);
            fflush(stdout);
        }
        if (pause > 0.0) usleep((useconds_t)(pause * 1e6));
    }
    int wrong = rank == 0 && !(worst < 1e-9);
    if (rank == 0) printf(wrong ? "WRONG: the error is %.1e\n" : "correct to %.1e\n", worst);
    MPI_Bcast(&wrong, 1, MPI_INT, 0, MPI_COMM_WORLD);
    free(now);
    free(next);
    MPI_Finalize();
    return wrong;
}
