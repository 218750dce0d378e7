//! The engine with the tables of one request, and nothing else.

use std::{collections::HashMap, path::Path, sync::Arc};

use datafusion::{
    catalog::{MemoryCatalogProvider, MemorySchemaProvider, TableProvider},
    common::{TableReference, tree_node::TreeNodeRecursion},
    datasource::{
        file_format::parquet::ParquetFormat,
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
        source_as_provider,
    },
    error::{DataFusionError, Result},
    execution::{
        SessionStateBuilder, SessionStateDefaults,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::FairSpillPool,
        object_store::ObjectStoreRegistry,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
        session_state::SessionState,
    },
    logical_expr::LogicalPlan,
    object_store::{ObjectStore, local::LocalFileSystem},
    prelude::{SQLOptions, SessionConfig, SessionContext},
    sql::{parser::Statement, sqlparser::ast},
};

use super::failure;
use crate::{Failure, Limits, Request, SPILL_DIR, TABLES_DIR, Table};

/// Where tables lie, to the engine; there is no other place.
pub(super) const STORE: &str = "torv://tables/";
/// What the engine puts before a name of one part.
pub(super) const DEFAULT_NAMES: &str = "torv.tables.";
/// Rows worked on at once.
const BATCH_ROWS: usize = 8_192;
/// Functions that tell of files.
const LEFT_OUT: &[&str] = &["input_file_name"];
/// The largest part of the memory that a sort keeps free to merge with.
const MERGE_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// The engine for one query.
pub(super) struct Session {
    context: SessionContext,
    tables: Vec<Arc<dyn TableProvider>>,
}

impl Session {
    /// Registers the tables of `request`, which lie in `folder`.
    pub(super) async fn open(request: &Request, folder: &Path) -> Result<Self> {
        let state = state(&request.limits, folder)?;
        let context = SessionContext::new_with_state(state);
        let mut tables = Vec::with_capacity(request.tables.len());
        for table in &request.tables {
            let provider = provider(&context.state(), table).await?;
            for name in &table.names {
                register(&context, name, provider.clone())?;
            }
            tables.push(provider);
        }
        // Statistics of a file leave out NaN, and the engine would take the rest for all there is (apache/datafusion
        // #24804): max() of its values, or each of them where the others are one.
        if tables.iter().any(|table| table.schema().fields().iter().any(|field| field.data_type().is_floating())) {
            context.state_ref().write().config_mut().options_mut().execution.collect_statistics = false;
        }
        Ok(Self { context, tables })
    }

    pub(super) fn state(&self) -> SessionState {
        self.context.state()
    }

    /// Reads SQL; only a query is taken.
    pub(super) async fn plan(
        &self,
        sql: &str,
        told: &impl Fn(DataFusionError) -> Failure,
    ) -> Result<LogicalPlan, Failure> {
        let state = self.state();
        let dialect = state.config().options().sql_parser.dialect;
        let statement = state.sql_to_statement(sql, &dialect).map_err(told)?;
        match &statement {
            Statement::Statement(statement) if matches!(**statement, ast::Statement::Query(_)) => {}
            _ => return Err(failure::not_a_query()),
        }
        let plan = state.statement_to_plan(statement).await.map_err(told)?;
        // A query can hold what changes something: WITH … AS (INSERT …), SELECT … INTO.
        let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        options.verify_plan(&plan).map_err(told)?;
        Ok(plan)
    }

    /// Which tables a plan reads, ascending.
    pub(super) fn tables_of(&self, plan: &LogicalPlan) -> Result<Vec<usize>> {
        let mut read = vec![false; self.tables.len()];
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Ok(provider) = source_as_provider(&scan.source)
            {
                for (table, read) in self.tables.iter().zip(&mut read) {
                    *read |= Arc::ptr_eq(table, &provider);
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(read.iter().enumerate().filter(|(_, read)| **read).map(|(at, _)| at).collect())
    }
}

fn state(limits: &Limits, folder: &Path) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_information_schema(false)
        .with_default_catalog_and_schema("torv", "tables")
        .with_create_default_catalog_and_schema(true)
        .with_target_partitions(limits.threads.max(1))
        .with_batch_size(BATCH_ROWS);
    let merge = (limits.memory_bytes / 16 / u64::try_from(limits.threads.max(1)).unwrap_or(1)).min(MERGE_BYTES_MAX);
    let options = config.options_mut();
    // Names are those of the files: Station is not station.
    options.sql_parser.enable_ident_normalization = false;
    options.execution.sort_spill_reservation_bytes = usize::try_from(merge).unwrap_or(usize::MAX);
    let functions = SessionStateDefaults::default_scalar_functions();
    let functions = functions.into_iter().filter(|function| !LEFT_OUT.contains(&function.name())).collect();
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime(limits, folder)?)
        .with_default_features()
        .with_scalar_functions(functions)
        .with_file_formats(Vec::new())
        .with_table_factories(HashMap::new())
        .build();
    Ok(state)
}

fn runtime(limits: &Limits, folder: &Path) -> Result<Arc<RuntimeEnv>> {
    let memory = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
    let spill = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![folder.join(SPILL_DIR)]))
        .with_max_temp_directory_size(limits.spill_bytes);
    let store = LocalFileSystem::new_with_prefix(folder.join(TABLES_DIR))?;
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
        .with_disk_manager_builder(spill)
        .with_object_store_registry(Arc::new(OneStore(Arc::new(store))))
        .build_arc()
}

/// Files are read from one folder; there is neither a file system nor a network.
#[derive(Debug)]
struct OneStore(Arc<dyn ObjectStore>);

impl ObjectStoreRegistry for OneStore {
    fn register_store(&self, _: &url::Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &url::Url) -> Result<Arc<dyn ObjectStore>> {
        if url.as_str().starts_with(STORE) {
            return Ok(self.0.clone());
        }
        Err(DataFusionError::Plan("There are no files here but the tables.".to_owned()))
    }
}

async fn provider(state: &SessionState, table: &Table) -> Result<Arc<dyn TableProvider>> {
    let mut urls = Vec::with_capacity(table.files.len());
    for file in &table.files {
        if file.contains('/') || file.starts_with('.') {
            return Err(DataFusionError::Internal(format!("{file:?} is not the name of a file of a table")));
        }
        urls.push(ListingTableUrl::parse(format!("{STORE}{file}"))?);
    }
    let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension("");
    let first = urls.first().ok_or_else(|| DataFusionError::Internal("a table without files".to_owned()))?;
    let schema = options.infer_schema(state, first).await?;
    let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options).with_schema(schema);
    Ok(Arc::new(ListingTable::try_new(config)?))
}

fn register(context: &SessionContext, name: &[String], table: Arc<dyn TableProvider>) -> Result<()> {
    match name {
        [name] => {
            context.register_table(TableReference::bare(name.as_str()), table)?;
        }
        [catalog, schema, name] => {
            let found = context.catalog(catalog);
            let found = found.unwrap_or_else(|| {
                let fresh = Arc::new(MemoryCatalogProvider::new());
                context.register_catalog(catalog.as_str(), fresh.clone());
                fresh
            });
            if found.schema(schema).is_none() {
                found.register_schema(schema, Arc::new(MemorySchemaProvider::new()))?;
            }
            if let Some(schema) = found.schema(schema) {
                schema.register_table(name.clone(), table)?;
            }
        }
        _ => return Err(DataFusionError::Internal("a name has one part or three".to_owned())),
    }
    Ok(())
}
