"""The parts of the page that no measurement changes."""

INTRODUCTION = """\
**Research software, not a medical device.** It describes a picture and is no diagnosis of a person. Nobody may be
treated, or sent home, because of what it says."""

INTENDED = """\
To study how a small, fully integer network reads children's chest radiographs on a small computer: research,
teaching, benchmarks. The reader of a finding is one who could read the radiograph without it."""

NOT_INTENDED = """\
- **As a diagnosis**, or to decide alone who is examined, treated or sent home.
- **Adults, infants under one year, children over five.** The model has seen none.
- **Other projections.** It learned from frontal (anterior-posterior) radiographs alone: no lateral views, no CT, no
  photographs of a film or a screen.
- **Other hospitals, other machines, other times.** It is validated on none of them. Radiographs of another origin
  can look alike to a person and differ to the model; the gate and the drift figures notice some of that, and not
  all.
- **Anything but pneumonia.** Tuberculosis, effusion, pneumothorax, a foreign body, a fracture, a tube: whatever it
  shows, it gets one of two words, and *normal* means no more than "not like the pneumonias it has seen".
- **As a share of the ill.** The probability holds where {prevalence} of the radiographs show pneumonia, as in the
  test split; where pneumonia is rarer, more of those called pneumonia are false."""

DATA = """\
*Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for Classification*, Kermany, Zhang and Goldbaum,
Mendeley Data, version 2, 2018, [doi 10.17632/rscbjbr9sj.2](https://doi.org/10.17632/rscbjbr9sj.2), licence
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/); described in Kermany et al., *Identifying Medical Diagnoses
and Treatable Diseases by Image-Based Deep Learning*, Cell 172 (2018) 1122-1131,
[doi 10.1016/j.cell.2018.02.010](https://doi.org/10.1016/j.cell.2018.02.010). No image of it is in this repository.

- **Patients:** children of one to five years at one hospital, Guangzhou Women and Children's Medical Center,
  Guangzhou, China. The set tells no sex, no exact age, no other illness and no machine, so that nothing can be said
  about how the model does for any group of children.
- **Pictures:** anterior-posterior chest radiographs of routine care. Unreadable ones were taken out by hand before
  the set was published.
- **Labels:** of two physicians, those of the test split looked over by a third (Kermany et al. 2018). Bacterial or
  viral is in the file names. A label is a reading, and some are wrong.
- **Splits:** test is the official one. Validation images are cut from train by whole patients."""

LIMITS = """\
- Test and training radiographs come from the same hospital and years. Expect less elsewhere.
- The heat map points to a region and outlines no lesion: it has few cells, and each sees a large part of the
  picture.
- It may read what is no lung: letters, tubes, borders and the way a child was held can differ between the ill and
  the well.
- Bacterial and viral pneumonia look alike in many radiographs; the type is less sure than the label.
- Test was looked at more than once while the project grew; every look is in [train/RUNS.md](../train/RUNS.md)."""

PUBLISHED = """\
| | right | AUC | bacterial against viral |
|---|---|---|---|
| Kermany et al. 2018, Inception v3, [doi 10.1016/j.cell.2018.02.010](https://doi.org/10.1016/j.cell.2018.02.010) | 92.8% | 0.968 | 90.7%, AUC 0.940 |
| Rajaraman et al. 2018, VGG-16 on cropped lungs, [doi 10.3390/app8101715](https://doi.org/10.3390/app8101715) | 96.2% | 0.993 | |
"""  # noqa: E501

INTERVALS = """\
Intervals are 95%: Wilson's for shares, DeLong's on the logit scale for areas, the normal one for means. A
radiograph the device refuses counts as not right, and neither as found nor as cleared; areas and calibration are
those of the answered ones."""

OCCLUSION = """\
The map's mean is the log odds of pneumonia, by construction. Whether it lies where the answer comes from is
measured: a tenth of the picture is filled from what surrounds it (a black patch would be something the model has
never seen: Hooker et al. 2019, [arXiv:1806.10758](https://arxiv.org/abs/1806.10758); Samek et al. 2017,
[doi 10.1109/TNNLS.2016.2599820](https://doi.org/10.1109/TNNLS.2016.2599820)), once the hottest tenth of this
radiograph's map, and for comparison the same outline elsewhere, and the hottest tenth of other radiographs' maps,
which lies where lungs lie."""
