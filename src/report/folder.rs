//! A run's results on disk, a folder for each run.
//!
//! | file | what it is |
//! |---|---|
//! | `run.json`, `clusters.csv` | the raw results, from which everything else can be made again |
//! | `summary.json` | the shape of k6's end-of-test summary |
//! | `junit.xml` | thresholds and clusters as test cases |
//! | `report.html` | the run for people, in one file |

use super::{Run, clusters_csv, html, junit, k6};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::{fs, mem};

/// Why results cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder holds something already.
    #[error("{} is not empty: results of another run would be lost", .0.display())]
    Occupied(PathBuf),
    /// The file system refuses to write.
    #[error("cannot write {}: {source}", path.display())]
    Unwritten {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file system refuses to read.
    #[error("cannot read {}: {source}", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// Makes a folder for a run's results, or takes an empty one: before the run, so that nothing is measured in vain.
pub fn prepare(folder: &Path) -> Result<(), FolderError> {
    fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let mut entries = fs::read_dir(folder).map_err(|source| failed(folder, source))?;
    if entries.next().is_some() { Err(FolderError::Occupied(folder.to_owned())) } else { Ok(()) }
}

/// Writes all files of a run. Raw results come first, so that they are there whatever happens to the rest.
pub fn write(folder: &Path, run: &Run) -> Result<(), FolderError> {
    fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let csv = clusters_csv::write(&run.results.clusters).map_err(|source| failed(&folder.join(CLUSTERS), source))?;
    put(&folder.join(CLUSTERS), &csv)?;
    let mut without_clusters = run.clone();
    without_clusters.results.clusters = Vec::new();
    put(&folder.join(RUN), &json(&folder.join(RUN), &without_clusters)?)?;
    put(&folder.join("summary.json"), &json(&folder.join("summary.json"), &k6::summary(run))?)?;
    put(&folder.join("junit.xml"), junit::xml(run).as_bytes())?;
    put(&folder.join("report.html"), html::page(run).as_bytes())
}

/// Reads the raw results of a folder and makes the figures anew.
pub fn read(folder: &Path) -> Result<Run, FolderError> {
    let (run_path, clusters_path) = (folder.join(RUN), folder.join(CLUSTERS));
    let unreadable = |path: &Path, problem: String| FolderError::Unreadable { path: path.to_owned(), problem };
    let bytes = fs::read(&run_path).map_err(|source| unread(&run_path, source))?;
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(&run_path, error.to_string()))?;
    if value["schema"] != Run::SCHEMA {
        let problem = format!("it has schema {}; this version reads {}", value["schema"], Run::SCHEMA);
        return Err(unreadable(&run_path, problem));
    }
    let mut run: Run = serde_json::from_value(value).map_err(|error| unreadable(&run_path, error.to_string()))?;
    let csv = fs::read(&clusters_path).map_err(|source| unread(&clusters_path, source))?;
    run.results.clusters = clusters_csv::read(&csv).map_err(|problem| unreadable(&clusters_path, problem))?;
    run.refresh();
    Ok(run)
}

fn json(path: &Path, value: &impl serde::Serialize) -> Result<Vec<u8>, FolderError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| failed(path, error.into()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Writes beside the place and moves it there, so that no reader finds half a file.
fn put(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(mem::take(&mut beside));
    fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path)).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> FolderError {
    FolderError::Unwritten { path: path.to_owned(), source }
}

fn unread(path: &Path, source: io::Error) -> FolderError {
    FolderError::Unread { path: path.to_owned(), source }
}

impl FolderError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            FolderError::Occupied(_) => "give --results another folder; it is made if it is not there",
            FolderError::Unread { source, .. } if source.kind() == ErrorKind::NotFound => {
                "give the folder of a run: the one that holds run.json and clusters.csv"
            }
            FolderError::Unread { .. } => "see that this user may read it",
            FolderError::Unwritten { .. } => {
                "see that there is room and that this user may write there, or name another folder"
            }
            FolderError::Unreadable { .. } => "give the results of a run of this version",
        }
    }
}

const RUN: &str = "run.json";
const CLUSTERS: &str = "clusters.csv";

#[cfg(test)]
mod tests {
    use super::super::testing::passed;
    use super::*;

    #[test]
    fn a_run_is_read_as_it_was_written_and_its_figures_are_made_anew() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("results");
        prepare(&folder).unwrap();
        let run = passed();
        write(&folder, &run).unwrap();
        assert_eq!(read(&folder).unwrap(), run);
        assert!(matches!(prepare(&folder), Err(FolderError::Occupied(_))));
        let error = prepare(Path::new("/proc/foo")).unwrap_err();
        assert!(error.to_string().starts_with("cannot write /proc/foo: "), "{error}");
        assert!(error.remedy().contains("name another folder"), "{}", error.remedy());
        assert!(read(scratch.path()).unwrap_err().remedy().contains("give the folder of a run"));

        let csv = fs::read_to_string(folder.join(CLUSTERS)).unwrap();
        fs::write(folder.join(CLUSTERS), csv.replacen(",active,true", ",failed,false", 1)).unwrap();
        assert_eq!(read(&folder).unwrap().figures.failed, 1);
        fs::write(folder.join(RUN), "{\"schema\": 99}").unwrap();
        assert!(read(&folder).unwrap_err().to_string().contains("it has schema 99"));
    }

    #[test]
    fn the_summary_is_shaped_as_k6_shapes_its_own() {
        let mut run = passed();
        let summary = k6::summary(&run);
        let metric = &summary["metrics"]["time_to_active"];
        assert_eq!((&metric["type"], &metric["contains"]), (&"trend".into(), &"time".into()));
        assert_eq!(metric["thresholds"]["p(95)<2s"]["ok"], true);
        assert!((metric["values"]["p(95)"].as_f64().unwrap() - 1000.0).abs() < 1.0);
        assert_eq!(summary["state"]["testRunDurationMs"], 9000.0);
        let checks = summary["root_group"]["checks"].as_array().unwrap();
        assert!(checks.iter().all(|check| check["fails"] == 0), "{checks:?}");
        run.results.clusters[0].fate = crate::ramp::Fate::Failed;
        run.refresh();
        let fails = |run: &Run| {
            let summary = k6::summary(run);
            summary["root_group"]["checks"].as_array().unwrap().iter().any(|check| check["fails"] != 0)
        };
        assert!(fails(&run));
        run.results.spec["thresholds"] = serde_json::json!(["failed:rate<50%"]);
        run.refresh();
        assert!(!fails(&run), "a threshold says how many may fail");
    }

    #[test]
    fn junit_has_a_case_for_each_threshold_and_cluster() {
        let mut run = passed();
        run.results.clusters[1].fate = crate::ramp::Fate::Failed;
        run.results.clusters[1].cause = Some("<no>".into());
        run.refresh();
        let xml = junit::xml(&run);
        assert_eq!(xml.matches("<testcase ").count(), 5);
        assert!(xml.contains("<testsuites name=\"edge-\" tests=\"5\" failures=\"1\" time=\"9.000\">"), "{xml}");
        assert!(xml.contains("<failure message=\"&lt;no&gt;\"/>"), "{xml}");
    }
}
