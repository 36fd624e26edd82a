//! A fresh warehouse, small handmade files, and one-line looks at what is in the tables.

use std::io::Write;
use std::path::PathBuf;

use jiff::Timestamp;
use pipeline::ingest::{FileReport, IngestOptions, IngestReport, run};
use tempfile::TempDir;
use warehouse::{Warehouse, WarehouseUrl};

pub(crate) const NOW: &str = "2024-04-01T12:00:00Z";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A warehouse and a folder for files beside it.
pub(crate) struct World {
    pub(crate) warehouse: Warehouse,
    dir: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = WarehouseUrl::Sqlite(dir.path().join("warehouse.db"));
        let warehouse = Warehouse::open(&url, rules::contract()).await.unwrap();
        Self { warehouse, dir }
    }

    /// The folder of the stores.
    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("files").join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) async fn ingest(&self, paths: &[PathBuf]) -> IngestReport {
        self.run(paths, IngestOptions::at(at(NOW))).await
    }

    /// Simulated days, whose quotes go on after the moment of the prediction.
    pub(crate) async fn ingest_at(&self, paths: &[PathBuf], now: &str) -> IngestReport {
        self.run(paths, IngestOptions::simulated(at(now))).await
    }

    async fn run(&self, paths: &[PathBuf], options: IngestOptions) -> IngestReport {
        let report = run(&self.warehouse, paths, options, |_| {}).await.unwrap();
        for file in &report.files {
            assert_eq!(file.read, file.new + file.known + file.num_refused(), "{file:?}");
        }
        report
    }

    /// Writes one file and ingests it.
    pub(crate) async fn take(&self, name: &str, bytes: impl AsRef<[u8]>) -> FileReport {
        let path = self.write(name, bytes);
        self.ingest(&[path]).await.files.remove(0)
    }

    /// The first column of a query, as text.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<String> {
        let table = self.warehouse.sql(sql, warehouse::SqlLimits::default()).await.unwrap();
        let cells = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default);
        table.rows.into_iter().map(|row| cells(row).collect::<Vec<_>>().join("|")).collect()
    }

    /// The number a query answers.
    pub(crate) async fn count(&self, sql: &str) -> u64 {
        self.sql(sql).await[0].parse().unwrap()
    }
}

pub(crate) fn gz(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// The folder of real data, if this machine has it.
pub(crate) fn real_data() -> Option<PathBuf> {
    let found = std::env::var_os("TIPOFF_DATA").map(PathBuf::from).filter(|path| path.is_dir());
    if found.is_none() {
        eprintln!("skipped: TIPOFF_DATA names no folder of real data");
    }
    found
}

/// The two teams of the handmade games, with players of every awkward kind.
pub(crate) const BOX: &str = "\
season,season_type,game_id,game_date,player_id,player_name,team_id,team,opponent,is_home,wl,min,pts,reb,ast,fgm,fga,fg3m,fg3a,ftm,fta,oreb,dreb,stl,blk,tov,pf,plus_minus
2023-24,regular,0022301001,2024-03-20,1,Aaron Ace Jr.,1,GSW,CHA,0,W,36,30,5,5,10,20,2,5,8,8,1,4,1,0,2,2,10
2023-24,regular,0022301001,2024-03-20,2,Bo Bünyan,1,GSW,CHA,0,W,30,0,5,5,0,9,0,5,0,0,1,4,1,0,2,2,4
2023-24,regular,0022301001,2024-03-20,3,Herbert Jones,2,CHA,GSW,1,L,33,12,5,5,5,11,1,5,1,2,1,4,1,0,2,2,-9
";

pub(crate) const SCHEDULE: &str = "\
game_id,game_code,date_et,time_et,series_text,arena,arena_city,status,home_team_id,away_team_id,home_team,away_team,home_score,away_score,season
0022301001,20240320/GSWCHA,2024-03-20,19:00:00,,A,B,Final,2,1,CHA,GSW,100.0,110.0,23-24
0022301073,20240329/GSWCHA,2024-03-29,19:00:00,,A,B,7:00 pm ET,2,1,CHA,GSW,,,23-24
";

pub(crate) const ALIASES: &str = "odds_name,box_name,player_id\nHerb Jones,Herbert Jones,3\n";

/// An outcome pair.
pub(crate) fn pair(player: &str, point: &str, over: &str, under: &str) -> String {
    format!(
        r#"{{"name":"Over","description":"{player}","price":{over},"point":{point}}},{{"name":"Under","description":"{player}","price":{under},"point":{point}}}"#
    )
}

pub(crate) fn market(key: &str, updated: &str, outcomes: &[String]) -> String {
    format!(r#"{{"key":"{key}","last_update":"{updated}","outcomes":[{}]}}"#, outcomes.join(","))
}

pub(crate) fn book(key: &str, markets: &[String]) -> String {
    format!(r#"{{"key":"{key}","title":"{key}","markets":[{}]}}"#, markets.join(","))
}

pub(crate) fn event(id: &str, books: &[String]) -> String {
    format!(
        r#"{{"id":"{id}","sport_key":"basketball_nba","commence_time":"2024-03-29T23:10:00Z","home_team":"Charlotte Hornets","away_team":"Golden State Warriors","bookmakers":[{}]}}"#,
        books.join(",")
    )
}

/// A world that knows schedule, players and aliases.
pub(crate) async fn world() -> World {
    let world = World::new().await;
    let files = [
        world.write("schedule.csv", SCHEDULE),
        world.write("box.csv", BOX),
        world.write("aliases.csv", ALIASES),
    ];
    let report = world.ingest(&files).await;
    assert!(report.is_clean(), "{report:?}");
    world
}
